"""Tables fit the terminal, whole cells and all; remarks are kept back where quiet is asked for."""

import pytest

from bisparse.commands import terminal

ROWS = [
    ("parameter", "value", "source"),
    ("tensor_engine.rows", "32", "array size is not public, and this is a sentence that goes on for a while"),
    ("vector_engine.fused", "bias_add, relu, relu_backward, hardtanh, hardtanh_backward", ""),
]


def printed(capsys):
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 132])
def test_a_table_fits_the_width_and_loses_nothing(capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    terminal.print_table(ROWS)
    lines = printed(capsys)
    assert max(map(len, lines)) <= width
    assert sorted("".join(lines).replace(" ", "")) == sorted("".join(map("".join, ROWS)).replace(" ", ""))


def test_a_row_is_a_line_where_nobody_looks(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    terminal.print_table(ROWS)
    lines = printed(capsys)
    assert len(lines) == len(ROWS)
    assert lines[1].endswith("for a while")


def test_a_table_that_fits_is_as_narrow_as_its_cells(monkeypatch):
    assert list(terminal.table_lines([("a", "bb"), ("ccc", "d")], {1}, 80)) == ["a    bb", "ccc   d"]


def test_numbers_stand_flush_right_in_every_line(monkeypatch):
    lines = list(terminal.table_lines([("number", "why"), ("12", "a reason of several words")], {0}, 40))
    assert [line[:6] for line in lines] == ["number", "    12"]


def test_too_many_columns_are_as_narrow_as_they_go():
    lines = list(terminal.table_lines([tuple("x" * 20 for _ in range(8))], set(), 40))
    assert "".join(lines).replace(" ", "") == "x" * 160


@pytest.mark.parametrize(("quiet", "said"), [(True, ""), (False, "a remark\n")])
def test_a_remark_is_kept_back_where_quiet_is_asked_for(capsys, quiet, said):
    terminal.keep_quiet(quiet)
    try:
        terminal.note("a remark")
        assert capsys.readouterr().err == said
    finally:
        terminal.keep_quiet(False)


def test_headings_stand_before_their_rows_and_count_for_no_column():
    lines = list(
        terminal.table_lines([("a", "bb"), ("c", "d"), ("e", "f")], set(), 80, {1: "a long heading", 2: "two"})
    )
    assert lines == ["a  bb", "a long heading", "c  d", "two", "e  f"]
