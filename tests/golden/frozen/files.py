"""The frozen files: compressed JSON with an outcome a line, the same bytes for the same outcomes; and the index."""

import csv
import gzip
import io
import json
from pathlib import Path

FOLDER = Path(__file__).parent
FILES = ("steps-analytic", "steps-event", "options", "documents", "ablations", "products", "trainings", "wild")
INDEX = FOLDER / "index.csv"
HEADLINES = ("total_cycles", "energy_joules", "speedup_vs_dense")


def read(name):
    """Outcomes of one file by key; none where there is no file."""
    lines = read_lines(name)
    if not lines:
        return {}
    figures, *outcomes = lines
    return {key: _named(outcome, figures) for key, outcome in outcomes}


def write(name, outcomes):
    """Write the outcomes of one file, sorted by key; figures without names, which stand in the first line."""
    figures = next((list(each["figures"]) for each in outcomes.values() if "figures" in each), [])
    write_lines(name, [figures, *([key, _bare(outcomes[key], figures)] for key in sorted(outcomes))])


def read_lines(name):
    """Lines of a compressed file, each plain data."""
    path = FOLDER / f"{name}.json.gz"
    if not path.is_file():
        return []
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def write_lines(name, lines):
    """Write plain data, a line each, with no time in the file."""
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    (FOLDER / f"{name}.json.gz").write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


def _named(outcome, figures):
    if "figures" not in outcome:
        return outcome
    return outcome | {"figures": dict(zip(figures, outcome["figures"], strict=True))}


def _bare(outcome, figures):
    if "figures" not in outcome:
        return outcome
    assert list(outcome["figures"]) == figures, "every outcome of a file has the same figures"
    return outcome | {"figures": list(outcome["figures"].values())}


def write_index():
    """Headline figures of every step as plain text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("case", *HEADLINES, "reason"))
    for name in FILES:
        for key, outcome in read(name).items():
            if "figures" in outcome or "reason" in outcome:
                found = outcome.get("figures", {})
                writer.writerow([key, *(found.get(each, "") for each in HEADLINES), outcome.get("reason", "")])
    INDEX.write_text(text.getvalue(), encoding="utf-8")
