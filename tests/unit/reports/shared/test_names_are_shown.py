"""Names out of files are shown in pages and tables as they are, whatever they hold."""

import csv
import json
import re
from dataclasses import replace

import pytest
from bisparse.reports import write_run
from bisparse.reports.shared.markdown_text import escaped

from ..run.sample import sample_result

NAMES = [
    "/*plotly*/",
    "<b>bold</b> <a href='http://evil.example'>link</a>",
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "%{customdata}",
    "@ink",
    "=1+cmd",
]


def named(name):
    """A run whose every input has this name."""
    result = sample_result("bdwp")
    inputs = {key: replace(given, name=name) for key, given in result.inputs.items()}
    rows = tuple(replace(row, name=name) for row in result.rows)
    return replace(result, inputs=inputs, rows=rows)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_no_markup_of_the_page(tmp_path, name):
    page = write_run([named(name), named(f"{name} too")], tmp_path, command=f"bisparse simulate {name}").read_text()
    before, after = page.split("<script>/**\n* plotly.js", 1)
    assert "alert(1)</script>" not in before
    assert "<a href='http://evil" not in before
    assert after.count("</script>") == 2
    (figures,) = re.findall(r'id="figures">(.*?)</script>', before, re.DOTALL)
    texts = list(strings(json.loads(figures)))
    assert not [text for text in texts if re.search(r"<(?!/?(b|br|extra)>)", text)]
    assert not [text for text in texts if "<b>bold" in text or "%{customdata}<b" in text]


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


def test_a_name_is_no_formula(tmp_path):
    write_run([named("=1+cmd")], tmp_path, command="test")
    rows = list(csv.DictReader((tmp_path / "operators.csv").open()))
    assert {row["recipe"] for row in rows} == {row["name"] for row in rows} == {"'=1+cmd"}


def test_a_name_is_no_link_of_markdown():
    assert escaped("[a](http://b)\nc\u2028d") == "\\[a](http://b) c d"
