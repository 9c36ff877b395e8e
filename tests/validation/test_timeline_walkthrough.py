"""The walk-through of docs/timeline.md: its designs, run; its table, held to what they give."""

import re
from pathlib import Path

import bisparse

DOCUMENT = (Path(__file__).parents[2] / "docs" / "timeline.md").read_text(encoding="utf-8")
OPERATOR = "layer3.1.conv1:WU"


def test_a_larger_buffer_closes_the_gap_as_the_document_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = {}
    for text in re.findall(r"```yaml\n(.*?)```", DOCUMENT, flags=re.DOTALL):
        name = text.split("\n")[0].removeprefix("name: ")
        Path(f"{name}.yaml").write_text(text)
        result = bisparse.simulate("resnet18-tinyimagenet", f"{name}.yaml", batch=64, engine="event")
        (row,) = [row for row in result.rows if row.name == OPERATOR]
        found[name] = (
            str(row.cycles),
            str(row.causes["north"]),
            str(row.dram_read_bytes),
            str(result.total_cycles),
            f"{result.stalls['busy'] / result.total_cycles:.0%}",
            f"{result.speedup_vs_dense:.3f}",
        )
    table = [line.strip("|").split("|")[1:] for line in DOCUMENT.splitlines() if line.count("|") == 4]
    said = [tuple(cell.strip() for cell in cells) for cells in table if cells[0].strip()[:1].isdigit()]
    assert said == list(zip(found["starved"], found["fed"], strict=True))
