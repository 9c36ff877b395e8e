"""The report of designs that agree with claims: the answer, what excludes most, every file from one result."""

from bisparse.reports import consistency_text, write_consistency

from .consistency_sample import study


def said(found):
    return " ".join(consistency_text(found).split())


def test_the_answer_is_first_with_what_it_was_before_the_claims():
    text = said(study())
    assert text.startswith("sat-vcu1525: 2 of 6 drawn designs agree with all 1 claims.")
    assert "speedup 1.74 to 1.76 (1.25 to 1.94 before the claims)" in text
    assert "were it published: hardware.clock_hz (answers would spread 50% less)" in text
    assert "7 designs drawn (Latin hypercube, seed 0) over 2 unknowns, 1 of which cannot run" in text
    assert "16: 1 of 3, 32: 1 of 3" in text


def test_where_nothing_agrees_the_claim_and_the_nearest_miss_are_told():
    text = said(study(agree=False))
    assert "None of 6 drawn designs agrees with all 1 claims." in text
    assert "'as fast as told': 6 of them, which have 1.20 to 1.95. The nearest design misses a claim by 5.0%" in text
    assert "spread gone" not in text.partition("7 designs drawn")[0]


def test_every_file_says_it_and_names_are_no_markup(tmp_path):
    page = write_consistency(study(), tmp_path, command="bisparse consistent sample").read_text()
    assert "A design &lt;b&gt;nobody&lt;/b&gt; | knows" in page
    assert "<i>abstract</i>" not in page
    markdown = (tmp_path / "consistent.md").read_text()
    assert "## What would tell more" in markdown
    assert "nobody" in markdown
    rows = (tmp_path / "designs.csv").read_text().splitlines()
    assert rows[0] == "hardware.tensor_engine.rows,hardware.clock_hz,agrees,reason,miss: as fast as told,speedup"
    assert rows[-1] == "32,,False,too small a buffer,,"
