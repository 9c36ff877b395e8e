"""How often PEs pick an operand out of a group, counted by hand."""

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.formats import parse_format
from bisparse.configs.pattern import DENSE
from bisparse.dataflow.formats.skipped import met_by
from bisparse.dataflow.gemm import Gemm
from bisparse.training.graph import Stage

SAT = load_hardware("sat-vcu1525").model
UNSTRUCTURED = load_hardware("sat-unstructured").model
BOTH = load_hardware("sat-intersection").model


def product(a=DENSE, b=DENSE):
    return Gemm(name="g", operator="g", stage=Stage.FORWARD, m=4, n=8, k=64, a=a, b=b)


@pytest.mark.parametrize(
    ("sparsity", "kept", "among"),
    [("2:8", 16, 8), ("2:4", 32, 4), ("2:4 permuted", 32, 4)],
)
def test_each_issued_product_takes_one_choice_less_than_its_group_has_words(sparsity, kept, among):
    assert product(b=parse_format(sparsity)).choices == 4 * 8 * kept * (among - 1)


def test_terms_pick_out_of_the_largest_of_their_groups():
    assert parse_format("2:8+1:4").selected_from == 8


def test_nothing_is_picked_where_nothing_is_skipped():
    sparse = product(b=parse_format("2:8"))
    assert product().choices == sparse.expand().choices == 0


def test_zeros_without_a_rule_are_picked_around_in_the_groups_of_the_array():
    met = met_by(product(b=parse_format("75%")), UNSTRUCTURED)
    assert met.choices == met.issued_macs * 7 > 0


def test_both_operands_are_picked_where_both_are_sparse():
    sparse = parse_format("50%")
    met = met_by(product(a=sparse, b=sparse), BOTH)
    assert met.choices == met.issued_macs * (7 + 7) > 0
