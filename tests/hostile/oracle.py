"""What is right: a mistake told in few lines that name it, or an answer that means something."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .cases import Case
from .running import Outcome
from .values import MARK
from .words import LONG

MOST_LINES = 12
"""Of a mistake: ten faults of a file, how many more there are, and what kind of file it looks like."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_MACHINERY = re.compile(r"Traceback \(most recent|Exception ignored in|\.py:\d+: \w*Warning|Fatal Python|core dumped")
_COUNTS = re.compile(r"(_cycles|_bytes|_macs|_joules|_seconds|^cycles|^macs|^seconds)$")

FINE = ("refused", "accepted", "asked for long")


def judged(case: Case, outcome: Outcome, folder: Path) -> tuple[str, str]:
    """The outcome in a word, and what is wrong with it where it is none of ``FINE``."""
    if outcome.error:
        return _raised(case, outcome)
    said = outcome.out + outcome.err
    if found := _MACHINERY.search(said):
        return "traceback or warning", said[max(0, found.start() - 200) : found.start() + 400]
    if found := _CONTROL.search(said):
        return "control characters", repr(said[max(0, found.start() - 80) : found.start() + 80])
    if left := [str(file.relative_to(folder)) for file in folder.rglob("*.part*")]:
        return "left behind", ", ".join(left)
    if outcome.err.startswith("memory: got none left"):
        return "memory", outcome.err
    if outcome.code == 2:
        fault = _message_fault(case, outcome)
        return ("message", f"{fault}: {outcome.err[-600:]}") if fault else ("refused", "")
    if outcome.code == 1 and case.kind.startswith("options of validate"):
        return "figures", outcome.out[-400:]
    if outcome.code != 0:
        return "exit code", f"{outcome.code}: {outcome.err[-400:]}"
    fault = _answer_fault(case, outcome) or _page_fault(folder)
    return ("figures", fault) if fault else ("accepted", "")


def _raised(case: Case, outcome: Outcome) -> tuple[str, str]:
    if not outcome.error.startswith("OutOfTime"):
        kind = "memory" if "MemoryError" in outcome.error.splitlines()[-1] else "exception"
        return kind, outcome.error[-1800:]
    if any(each in LONG for each in case.strange):
        return "asked for long", ""
    return "out of time", outcome.error


def _message_fault(case: Case, outcome: Outcome) -> str:
    """What a message lacks."""
    lines = outcome.err.strip().splitlines()
    if not lines and "Usage:" not in outcome.out:
        return "no message"
    if "Usage:" in outcome.out + outcome.err:
        return ""
    if len(lines) > MOST_LINES:
        return f"{len(lines)} lines"
    if len(outcome.err) > 4000:
        return f"{len(outcome.err)} characters"
    # Past ten faults the last line counts the others.
    if not any(re.search(r"\bneed\b|\btry\b", line) for line in lines[-2:]):
        return "it does not say what is needed"
    if case.file and not _names_file(case, outcome.err):
        return f"it does not name {case.file}"
    return ""


def _names_file(case: Case, message: str) -> bool:
    """Whether a message names the file, its folder, or a file of the command line of which it is a part."""
    words = [each for word in case.argv[1:] if not word.startswith("-") for each in word.split(":")]
    named = [case.file, *Path(case.file).parts, *words]
    return any(Path(each).stem in message for each in named) or message.startswith("--")


def _answer_fault(case: Case, outcome: Outcome) -> str:
    """What is wrong with the figures of an answer."""
    if any(word.startswith("--json") for word in case.argv) and "--help" not in case.argv:
        try:
            document = json.loads(outcome.out, parse_constant=_refuse)
        except ValueError as error:
            return f"no JSON: {error}"
        return _document_fault(document)
    if case.argv[0] == "gemm" and "--from" in case.argv:
        for row in csv.DictReader(io.StringIO(outcome.out)):
            share = float(row["array_utilisation"])
            if not 0 <= share <= 1 or int(row["array_cycles"]) <= 0 or int(row["useful_macs"]) <= 0:
                return f"a row that cannot be: {row}"
    return ""


def _refuse(word: str) -> None:
    raise ValueError(f"got {word}")


def _numbers(document: Any, name: str = "") -> Iterator[tuple[str, int | float]]:
    if isinstance(document, dict):
        for key, value in document.items():
            yield from _numbers(value, key)
    elif isinstance(document, list):
        for value in document:
            yield from _numbers(value, name)
    elif isinstance(document, int | float) and not isinstance(document, bool):
        yield name, document


def _document_fault(document: Any) -> str:
    for name, value in _numbers(document):
        if not math.isfinite(value):
            return f"{name} is {value}"
        if value < 0 and _COUNTS.search(name):
            return f"{name} is {value}"
    for step in [document, *document.get("results", [])]:
        if isinstance(step, dict) and "by_stage" in step and "total_cycles" in step:
            if sum(step["by_stage"].values()) != step["total_cycles"]:
                return f"total_cycles is {step['total_cycles']}, the stages sum up to {sum(step['by_stage'].values())}"
            parts = sum(step["energy_by_component"].values())
            if not math.isclose(parts, step["energy_joules"], rel_tol=1e-9):
                return f"energy_joules is {step['energy_joules']}, its components sum up to {parts}"
    return ""


def echo_fault(case: Case, shown: Outcome) -> str:
    """Whether an accepted number is the one that the file says."""
    if shown.code != 0 or case.value is None:
        return ""
    document: Any = json.loads(shown.out)
    document = document.get("parameters", document.get("recipe", document))
    if any(each in (case.value, float(case.value)) for _, each in _numbers(document)):
        return ""
    return f"{'.'.join(map(str, case.path))}: {case.value!r} is not in what is shown"


def _page_fault(folder: Path) -> str:
    """A name that a browser, a spreadsheet or a reader of Markdown would obey."""
    for file in folder.rglob("*"):
        if not file.is_file() or file.is_symlink() or file.suffix not in (".html", ".csv"):
            continue
        if file.suffix == ".html" and f"<script>alert('{MARK}" in file.read_text(encoding="utf-8"):
            return f"{file.relative_to(folder)}: a script out of a name"
        if file.suffix == ".csv" and file.name in ("operators.csv", "ablation.csv", "codesign.csv", "designs.csv"):
            with file.open(newline="", encoding="utf-8") as rows:
                for row in csv.reader(rows):
                    if any(cell.startswith(("=", "@")) for cell in row):
                        return f"{file.relative_to(folder)}: a formula out of a name"
    return ""
