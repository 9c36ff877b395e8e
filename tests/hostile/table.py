"""What came of a campaign, by kind of file and outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from .oracle import FINE


def as_markdown(results: Iterable[dict[str, Any]]) -> str:
    """A row a kind of file or command: cases, those that were refused, accepted, and that failed."""
    by_kind: dict[str, Counter[str]] = {}
    slowest: dict[str, float] = {}
    for each in results:
        by_kind.setdefault(each["kind"], Counter())[each["verdict"]] += 1
        slowest[each["kind"]] = max(slowest.get(each["kind"], 0.0), each["seconds"])
    lines = [
        "| what is hostile | cases | refused | accepted | asked for long | failed | slowest |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    total: Counter[str] = Counter()
    for kind, counts in sorted(by_kind.items()):
        lines.append(_row(kind, counts, slowest[kind]))
        total += counts
    lines.append(_row("**all**", total, max(slowest.values(), default=0.0)))
    return "\n".join(lines) + "\n"


def _row(kind: str, counts: Counter[str], slowest: float) -> str:
    fine = [counts[each] for each in FINE]
    figures = " | ".join(f"{each:,}" for each in (counts.total(), *fine, counts.total() - sum(fine)))
    return f"| {kind} | {figures} | {slowest:.1f} s |"


def failures(results: Iterable[dict[str, Any]]) -> str:
    """How many failures of each kind there are, with the first of each."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for each in results:
        if each["verdict"] not in FINE:
            found.setdefault((each["verdict"], _last(each["fault"])), []).append(each)
    lines = []
    for (verdict, last), cases in sorted(found.items(), key=lambda item: -len(item[1])):
        first = cases[0]
        lines.append(f"{len(cases):5} {verdict}: {last}")
        lines.append(f"      case {first['number']}, {first['kind']}, {first['how']}: {' '.join(first['argv'])}")
    return "\n".join(lines)


def _last(fault: str) -> str:
    lines = fault.strip().splitlines() or [""]
    return lines[-1][:160] if lines[0].startswith(("Traceback", " ")) or "Error" in lines[-1] else lines[0][:160]
