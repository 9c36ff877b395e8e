"""Each shipped recipe laid over a small network: what the update leaves behind for the next step's passes."""

from __future__ import annotations

import pytest
from bisparse.configs.pattern import Pattern
from bisparse.training.recipes.annotation import WeightCopies
from bisparse.training.recipes.declared_rules import DenseRule, LayerRule

from .laid_recipes import BP, FF, GIVEN, PRUNED, RECURRENT, convolution, graph, laid, linear, with_rules


def test_bdwp_leaves_two_streams_where_both_directions_are_pruned_and_a_dense_copy_where_one_is():
    assert laid("bdwp").copies == {
        "body.weight": WeightCopies(
            parameter="body.weight", dense=False, compressed=(Pattern(2, 8), Pattern(2, 8)), reads_mask=True
        ),
        "odd.weight": WeightCopies(parameter="odd.weight", dense=True, compressed=(Pattern(2, 8),), reads_mask=True),
        # Its forward mask does not exist: no decay, no mask to read.
        "head.weight": WeightCopies(parameter="head.weight", dense=True, compressed=(Pattern(2, 8),), reads_mask=False),
    }


def test_sr_ste_keeps_a_dense_copy_for_its_backward_pass():
    copies = laid("sr-ste").copies
    assert {name: (copy.dense, len(copy.compressed), copy.reads_mask) for name, copy in copies.items()} == {
        "body.weight": (True, 1, True),
        "odd.weight": (True, 1, True),
    }


def test_a_weight_without_a_backward_product_needs_no_dense_copy():
    assert laid("sr-ste", over=graph(*convolution("stem", 16, 16, FF), *linear("only", 64, 8, FF))).copies == {
        "only.weight": WeightCopies(parameter="only.weight", dense=False, compressed=(Pattern(2, 8),), reads_mask=True)
    }


def test_without_pre_generation_only_dense_copies_are_left():
    for copy in laid("bdwp", pre_generation=False).copies.values():
        assert (copy.dense, copy.compressed) == (True, ())


@pytest.mark.parametrize(("recipe", "passes"), [("bdwp", 0.0), ("bi-mask", 10 / 100), ("transposable", 1 / 40)])
@pytest.mark.parametrize("pre_generation", [True, False])
def test_mask_searches_are_spread_over_the_steps_between_them(recipe, passes, pre_generation):
    copies = laid(recipe, pre_generation=pre_generation).copies
    assert {copy.search_passes for copy in copies.values()} == {passes}


def test_only_methods_with_decay_or_given_masks_read_a_mask():
    reading = {recipe: laid(recipe).copies.get("body.weight") for recipe in PRUNED}
    assert {recipe for recipe, copy in reading.items() if copy is not None and copy.reads_mask} == {
        "sr-ste", "bdwp", "bi-mask", "fully-sparse", *(GIVEN - RECURRENT),
    }  # fmt: skip


def test_a_shared_weight_keeps_what_each_of_its_readers_needs():
    """Two layers share a weight; one of them is named dense, or has a ratio of its own."""
    first = linear("first", 64, 64, FF, BP, parameter="shared")
    second = linear("second", 64, 64, FF, BP, parameter="shared")
    shared = graph(*first, *second)
    both = laid("bdwp", over=shared).copies["shared"]
    assert (both.dense, both.compressed) == (False, (Pattern(2, 8), Pattern(2, 8)))
    one = laid(with_rules(dense=DenseRule(names=("second",))), over=shared).copies["shared"]
    assert (one.dense, one.compressed) == (True, (Pattern(2, 8), Pattern(2, 8)))
    own = laid(with_rules(layers=(LayerRule(names=("second",), sparsity="2:4"),)), over=shared).copies["shared"]
    assert (own.dense, sorted(own.compressed)) == (False, [Pattern(2, 4)] * 2 + [Pattern(2, 8)] * 2)
