"""Masks that are given, of any format: what a recipe that has them makes of a small network, and what it is refused."""

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.configs.formats import parse_format
from bisparse.training.recipes.annotation import annotate, weight_sides
from bisparse.training.recipes.declaration import Recipe, load_recipe

from .test_recipes import NETWORK


def test_given_masks_of_any_format_are_packed_in_the_update_whatever_the_design_does_with_n_of_m():
    for pre_generation in (True, False):
        pruned = annotate(
            NETWORK, load_recipe("static-masks").model, parse_format("80%"), pre_generation=pre_generation
        )
        assert not any(each.reduced_on_load for each in pruned.prunings.values())
        assert pruned.copies["body.weight"].reads_mask
        assert pruned.copies["body.weight"].compressed == (parse_format("80%"), parse_format("80%"))


def test_the_backward_pass_has_blocks_turned():
    pruned = annotate(NETWORK, load_recipe("static-masks").model, parse_format("75% block 2x4"), pre_generation=True)
    found = {name: str(each.pattern) for name, each in pruned.prunings.items()}
    assert (found["body:FF"], found["body:BP"]) == ("75% block 2x4", "75% block 4x2")


@pytest.mark.parametrize("text", ["50% of rows", "50% of columns", "2 diagonal blocks", "band 3"])
def test_parts_of_a_weight_that_are_gone_have_no_gradient_and_the_rest_is_one_dense_copy(text):
    sparse = parse_format(text)
    pruned = annotate(NETWORK, load_recipe("static-masks").model, sparse, pre_generation=False)
    found = {name: (each.operand, each.pattern) for name, each in pruned.prunings.items()}
    assert found["body:FF"] == ("weight", sparse)
    assert found["body:BP"] == ("weight", sparse.turned)
    assert found["body:WU"] == ("result", sparse)
    copies = pruned.copies["body.weight"]
    assert len(copies.compressed) == 1
    assert copies.compressed[0] == sparse.on(*weight_sides(next(o for o in NETWORK.products if o.name == "body:FF")))
    assert not copies.reads_mask
    assert not copies.dense


def test_what_a_recipe_keeps_dense_has_its_whole_gradient():
    recipe = load_recipe("static-masks").model
    recipe = recipe.model_copy(update={"dense": recipe.dense.model_copy(update={"names": ("body",)})})
    pruned = annotate(NETWORK, recipe, parse_format("50% of rows"), pre_generation=True)
    assert not [name for name in pruned.prunings if name.startswith("body:")]


def test_the_other_operand_is_gathered_into_a_permuted_order():
    pruned = annotate(NETWORK, load_recipe("static-masks").model, parse_format("2:8 permuted"), pre_generation=True)
    for stage in ("FF", "BP"):
        assert str(pruned.prunings[f"body:{stage}"].pattern) == "2:8"
        assert pruned.prunings[f"body:{stage}"].preparation == "gather"


@pytest.mark.parametrize("text", ["2:8 permuted"])
def test_other_orders_need_masks_that_are_given(text):
    with pytest.raises(ConfigError, match="with bdwp, need N:M such as 2:8"):
        annotate(NETWORK, load_recipe("bdwp").model, parse_format(text), pre_generation=True)


def test_a_structure_needs_masks_that_are_given():
    with pytest.raises(ConfigError, match="got 50% of rows with bdwp, need N:M such as 2:8"):
        annotate(NETWORK, load_recipe("bdwp").model, parse_format("50% of rows"), pre_generation=True)


def test_a_share_of_zeros_needs_masks_that_are_given():
    with pytest.raises(ConfigError, match=r"got 80% with bdwp, need N:M such as 2:8: .* try static-masks"):
        annotate(NETWORK, load_recipe("bdwp").model, parse_format("80%"), pre_generation=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backward": {"operand": "gradient"}}, "got given, need pruned weights"),
        ({"decay": {"strength": 1e-4}}, "got given, need neither passes nor decay"),
        ({"mask_search": {"method": "given", "passes": 1.0}}, "got given, need neither passes nor decay"),
    ],
)
def test_masks_that_are_given_are_of_weights_and_cost_no_search(changes, message):
    declared = {
        "name": "x",
        "title": "",
        "source": "",
        "forward": {"operand": "weight"},
        "mask_search": {"method": "given"},
    }
    with pytest.raises(ValueError, match=message):
        Recipe(**(declared | changes))
