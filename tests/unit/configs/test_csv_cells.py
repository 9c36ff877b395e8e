"""Texts in CSV files that no spreadsheet computes, and that are read back as they were."""

import pytest
from bisparse.configs.csv_cells import cell_text, csv_cell


@pytest.mark.parametrize("text", ["=1+cmd", "+a", "-a", "@SUM(A1)", "\t=1", "\r=1", "-", "=", "--1"])
def test_what_spreadsheets_would_compute_stands_behind_an_apostrophe(text):
    assert csv_cell(text) == f"'{text}"
    assert cell_text(csv_cell(text)) == text


@pytest.mark.parametrize("value", ["bdwp", "", "a=b", "'tis", "-2", "+1.5e-9", ".5", -2, -0.5, None, True, "2:8"])
def test_all_else_stands_as_it_is(value):
    assert csv_cell(value) is value
    if isinstance(value, str):
        assert cell_text(value) == value
