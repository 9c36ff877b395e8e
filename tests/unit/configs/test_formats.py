"""Formats by their text: what is read, what is refused, what is said back."""

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.configs.formats import parse_format
from bisparse.configs.pattern import DENSE, Pattern
from bisparse.configs.unstructured import Unstructured


@pytest.mark.parametrize(
    ("text", "kept", "said"),
    [
        ("2:8", 0.25, "2:8"),
        (" 4 : 4 ", 1.0, "4:4"),
        ("80%", 0.2, "80%"),
        ("87.5 %", 0.125, "87.5%"),
        ("0%", 1.0, "0%"),
        ("75% block 16x4", 0.25, "75% block 16x4"),
        ("99.9999%", 0.000001, "99.9999%"),
        ("70% in each row", 0.3, "70% in each row"),
        ("50% of rows", 0.5, "50% of rows"),
        ("25 % of channels", 0.75, "25% of columns"),
        ("4 diagonal blocks", 0.25, "4 diagonal blocks"),
        (" band 32", 1.0, "band 32"),
        ("2:8 + 1:8", 0.375, "2:8+1:8"),
        ("2:8+1:4", 0.5, "2:8+1:4"),
        ("2:8 permuted", 0.25, "2:8 permuted"),
        (" 50 % in each column as rows", 0.5, "50% in each column as rows"),
    ],
)
def test_a_format_is_read_and_said_back(text, kept, said):
    found = parse_format(text)
    assert (found.density, str(found)) == (kept, said)
    assert parse_format(str(found)) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.8", "got '0.8', need N:M such as 2:8 .* or a share of zeros such as 80%"),
        ("many", "got 'many', need N:M"),
        ("100%", "got 100%, need 0% to below 100%"),
        ("99.99999%", "need 0% to below 100%"),
        ("-3%", "got '-3%', need a share of zeros"),
        ("80% block 0x4", "got a block of 0x4, need sides of 1 to 256"),
        ("80% block 4x300", "got a block of 4x300"),
        ("80% of all", "got '80% of all', need 50% of rows or 50% of columns"),
        ("5:8+4:8", "got 5:8\\+4:8, need terms of which none, nor their sum, keeps more; try 2:8\\+1:8"),
        ("8:8+1:8", "need terms of which none"),
        ("2:8+", "got '', need N:M such as 2:8"),
        ("2:8 permuted twice", "got '2:8 permuted twice', need such as 2:8 permuted"),
        ("100% of rows", "got 100%, need 0% to below 100%; try 50% of rows"),
        ("80% in each block", "got '80% in each block', need a share of zeros such as 70% in each row"),
        ("0 diagonal blocks", "got 0 diagonal blocks, need 1 to"),
        ("4 diagonal rows", "got '4 diagonal rows', need such as 4 diagonal blocks"),
        ("band wide", "got 'band wide', need such as band 32"),
        ("band 100000", "got a band of 100000, need 0 to"),
        ("9:8", "got 9:8, need N:M with 1 <= N <= M"),
    ],
)
def test_what_is_no_format_is_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_format(text)


def test_a_format_that_must_be_n_of_m_is_told_so():
    assert Pattern.only(Pattern(2, 8)) == Pattern(2, 8)
    with pytest.raises(ConfigError, match="got 80%, need N:M such as 2:8; try --recipe static-masks"):
        Pattern.only(Unstructured(80.0))


def test_the_backward_pass_sees_blocks_turned():
    assert parse_format("75% block 16x4").turned == parse_format("75% block 4x16")
    assert Pattern(2, 8).turned == Pattern(2, 8)


def test_nothing_pruned_is_dense_in_every_format():
    assert DENSE.is_dense
    assert parse_format("0%").is_dense
    assert not parse_format("0%").is_irregular
    assert parse_format("1%").is_irregular
    assert not Pattern(2, 8).is_irregular


def test_kept_elements_of_n_of_m_count_short_groups_at_every_tap():
    assert Pattern(2, 8).kept_elements(20, 9) == 9 * (2 + 2 + 2)
    assert Pattern(3, 4).kept_elements(5, 2) == 2 * (3 + 1)
    assert Unstructured(75.0).kept_elements(20, 9) == 45 * Unstructured(75.0).kept_scale
