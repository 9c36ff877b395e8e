"""Each shipped recipe laid over a small network: what is pruned, and what stays dense and why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.configs.formats import parse_format
from bisparse.configs.library import names
from bisparse.configs.pattern import Pattern
from bisparse.configs.terms import Terms
from bisparse.training.graph import Convolution
from bisparse.training.recipes.annotation import Pruning, annotate
from bisparse.training.recipes.declaration import load_recipe
from bisparse.training.recipes.declared_rules import ActivationRule, DenseRule, LayerRule
from bisparse.training.recipes.pruned_stage import PrunedStage

from .laid_recipes import (
    BP,
    FF,
    GIVEN,
    NETWORK,
    PRUNED,
    RECURRENT,
    STREAMING,
    WU,
    convolution,
    embedding,
    graph,
    laid,
    linear,
    operator,
    with_rules,
)


def test_every_shipped_recipe_of_a_training_step_is_told_here():
    """Those that rewrite layers prune other ones."""
    every = {name: load_recipe(name).model for name in names("recipes")}
    assert set(PRUNED) == {name for name, each in every.items() if each.pass_ == "training" and not each.rewrites}


def test_a_kernel_of_inference_prunes_forwards_and_refuses_a_training_step():
    kernel = load_recipe("cpu-spmm").model
    with pytest.raises(ConfigError, match=r"pass: got a training step of small with cpu-spmm, .*--pass inference"):
        laid(kernel)
    pruned = laid(kernel, over=graph(*(each for each in NETWORK.operators if each.stage is FF)))
    assert {each.operand for each in pruned.prunings.values()} == {"weight"}
    assert set(pruned.prunings) == {"body:FF", "odd:FF"}


@pytest.mark.parametrize("wide", [False, True])
def test_convolutions_with_wide_kernels_stay_dense_where_a_recipe_says_so(wide):
    dense = DenseRule(first_convolution=False, wide_kernels=wide)
    method = load_recipe("static-masks").model.model_copy(update={"dense": dense})
    (body,) = convolution("body", 16, 32, FF)
    (narrow,) = convolution("narrow", 16, 32, FF)
    narrow = replace(narrow, geometry=replace(narrow.geometry, kernel=(1, 1)))
    pruned = laid(method, over=graph(body, narrow))
    assert set(pruned.prunings) == {"narrow:FF"} | ({"body:FF"} if not wide else set())
    assert pruned.dense_reasons == ({"body:FF": "a kernel of more than one position"} if wide else {})


@pytest.mark.parametrize("recipe", PRUNED)
def test_a_recipe_prunes_these_operators_at_this_ratio(recipe):
    pruned = laid(recipe)
    assert set(pruned.prunings) == PRUNED[recipe]
    assert {each.pattern for each in pruned.prunings.values()} <= {Pattern(2, 8)}


@pytest.mark.parametrize("recipe", PRUNED)
def test_products_of_activations_are_never_pruned_nor_weight_gradients_unless_a_recipe_says_so(recipe):
    pruned = laid(recipe)
    untouched = {"scores:FF"}
    if load_recipe(recipe).model.weight_update is None:
        untouched |= {"stem:WU", "body:WU", "odd:WU", "head:WU"}
    assert untouched.isdisjoint(pruned.prunings)
    assert (untouched - {"scores:FF"}).isdisjoint(pruned.dense_reasons)


@pytest.mark.parametrize("recipe", sorted(set(PRUNED) - {"dense", *STREAMING, *GIVEN, *RECURRENT}))
def test_weights_made_ahead_are_compressed_in_memory(recipe):
    assert {(each.operand, each.reduced_on_load) for each in laid(recipe).prunings.values()} == {("weight", False)}
    on_the_way = laid(recipe, pre_generation=False).prunings
    assert {(each.operand, each.reduced_on_load) for each in on_the_way.values()} == {("weight", True)}


@pytest.mark.parametrize("pre_generation", [True, False])
def test_sdgp_prunes_the_gradient_as_it_streams_in(pre_generation):
    pruned = laid("sdgp", pre_generation=pre_generation)
    assert pruned.prunings["body:BP"] == Pruning(
        operand="gradient", pattern=Pattern(2, 8), reduced_on_load=True, permuted=False
    )
    assert pruned.copies == {}, "every weight needs a dense copy"


@pytest.mark.parametrize("pre_generation", [True, False])
def test_a_weight_gradient_is_made_of_a_gradient_pruned_along_positions_as_it_streams_in(pre_generation):
    """However many: a last group may be short. Of a convolution, too, which reads its input alone in patches."""
    pruned = laid("fully-sparse", pre_generation=pre_generation)
    for name in ("body:WU", "odd:WU", "head:WU"):
        assert pruned.prunings[name] == Pruning(operand="gradient", pattern=Pattern(2, 8), reduced_on_load=True)
    assert pruned.dense_reasons["stem:WU"] == "first convolution"
    rule = LayerRule(names=("body",), sparsity="1:2", stages=("WU",))
    own = laid(with_rules("fully-sparse", layers=(rule,)), pre_generation=pre_generation).prunings
    assert [own[f"body:{stage}"].pattern for stage in (FF, BP, WU)] == [Pattern(2, 8), Pattern(2, 8), Pattern(1, 2)]


def test_the_operand_of_a_weight_gradient_that_is_read_in_patches_stays_dense():
    turned = [
        operator(each.name, each.kind, each.stage, each.module, _transposed(each.geometry))
        for each in convolution("up", 16, 16, WU)
    ]
    over = graph(*convolution("stem", 16, 16, FF), *convolution("body", 16, 16, WU), *turned, *linear("fc", 16, 16, WU))
    reads = "is read in patches, which have no groups along positions"
    of_gradients = laid("fully-sparse", over=over)
    assert set(of_gradients.prunings) == {"body:WU", "fc:WU"}
    assert of_gradients.dense_reasons["up:WU"] == f"a convolution's gradient {reads}"
    of_inputs = laid(with_rules("fully-sparse", weight_update=PrunedStage(operand="input", online=True)), over=over)
    assert set(of_inputs.prunings) == {"up:WU", "fc:WU"}
    assert of_inputs.dense_reasons["body:WU"] == f"a convolution's input {reads}"


def test_an_input_is_pruned_as_it_streams_in_and_leaves_weights_dense():
    pruned = laid("sparse-activations")
    for name in ("body:FF", "head:WU"):
        assert pruned.prunings[name] == Pruning(operand="input", pattern=Pattern(2, 8), reduced_on_load=True)
    assert pruned.dense_reasons["head:FF"] == "20 channels are not divisible by 8"
    assert pruned.copies == {}


def test_a_recipe_may_prune_the_layers_that_it_names_alone():
    pruned = laid(with_rules(dense=DenseRule(all_but=("bo*", "head"), names=("head",))))
    assert set(pruned.prunings) == {"body:FF", "body:BP"}
    assert pruned.dense_reasons["odd:FF"] == "not among those that alone the recipe prunes"
    assert pruned.dense_reasons["head:FF"] == "named dense by the recipe"
    with pytest.raises(ConfigError, match=r"dense.all_but.0: got 'haed', need the path .* try head"):
        laid(with_rules(dense=DenseRule(all_but=("haed",))))


def test_recipes_that_keep_the_largest_take_sums_of_terms_and_need_them_made_ahead():
    """All 16 input channels of ``body``; its 32 outputs, too."""
    method, terms = load_recipe("bdwp").model, Terms.parse("2:8+1:8")
    pruned = annotate(NETWORK, method, terms, pre_generation=True)
    assert pruned.prunings["body:FF"] == Pruning(operand="weight", pattern=terms, reduced_on_load=False)
    assert pruned.copies["body.weight"].compressed == (terms, terms)
    with pytest.raises(ConfigError, match=r"got 2:8\+1:8 with bdwp and no pre-generation, need N:M"):
        annotate(NETWORK, method, terms, pre_generation=False)
    for recipe in ("transposable", "bi-mask", "sdgp", "s-ste"):
        with pytest.raises(ConfigError, match=rf"got 2:8\+1:8 with {recipe}, need N:M such as 2:8"):
            annotate(NETWORK, load_recipe(recipe).model, terms, pre_generation=True)


def test_a_share_of_zeros_is_multiplied_as_a_sum_that_holds_as_many():
    """``odd`` has 20 output channels, which groups of 8 do not divide; zeros without a rule would not mind."""
    method = load_recipe("tasd").model

    def at(text):
        return annotate(NETWORK, method, parse_format(text), pre_generation=True)

    assert {str(each.pattern) for each in at("80%").prunings.values()} == {"2:8+1:8"}
    assert set(at("80%").prunings) == {"body:FF", "odd:FF", "body:BP", "head:BP"}
    assert at("80%").dense_reasons["odd:BP"] == "20 channels are not divisible by 8"
    assert {str(each.pattern) for each in at("50%").prunings.values()} == {"50%"}, "more than the sum holds"


def test_maxnorm_alone_rescales_and_only_gradients_with_several_positions_a_sample():
    for recipe in PRUNED:
        rescaled = {name for name, each in laid(recipe).prunings.items() if each.rescaled}
        assert rescaled == ({"body:BP"} if recipe == "sdgp-maxnorm" else set()), "the head has one position a sample"


def test_what_a_moving_operand_needs_first_is_told_by_its_pruning():
    assert laid("sdgp-maxnorm").prunings["body:BP"].preparation == "rescale"
    assert laid("bi-mask").prunings["body:BP"].preparation == "gather"
    assert laid("bdwp").prunings["body:BP"].preparation is None


def test_bi_mask_alone_gathers_the_gradient_and_only_backwards():
    for recipe in PRUNED:
        permuted = {name for name, each in laid(recipe).prunings.items() if each.permuted}
        assert permuted == ({"body:BP", "head:BP"} if recipe == "bi-mask" else set())


def test_reasons_name_the_rule_that_kept_an_operator_dense():
    assert laid("bdwp").dense_reasons == {
        "stem:FF": "first convolution",
        "odd:BP": "20 channels are not divisible by 8",
        "head:FF": "20 channels are not divisible by 8",
        "scores:FF": "product of two activations",
    }
    assert laid("sr-ste").dense_reasons == {
        "stem:FF": "first convolution",
        "head:FF": "20 channels are not divisible by 8",
        "scores:FF": "product of two activations",
    }
    assert laid("dense").dense_reasons == {}


def test_groups_divide_the_channels_that_a_mask_runs_along():
    grouped = graph(*convolution("stem", 16, 16, FF), *convolution("grouped", 16, 32, FF, BP, groups=4))
    pruned = laid("bdwp", over=grouped)
    assert pruned.dense_reasons["grouped:FF"] == "4 channels are not divisible by 8"
    assert set(pruned.prunings) == {"grouped:BP"}
    assert set(laid("bdwp", "2:4", grouped).prunings) == {"grouped:FF", "grouped:BP"}


def test_transposed_convolutions_contract_input_channels_forward_and_output_channels_backward():
    base = convolution("up", 24, 20, FF, BP)
    turned = [operator(each.name, each.kind, each.stage, each.module, _transposed(each.geometry)) for each in base]
    pruned = laid("bdwp", over=graph(*convolution("stem", 16, 16, FF), *turned))
    assert set(pruned.prunings) == {"up:FF"}
    assert pruned.dense_reasons["up:BP"] == "20 channels are not divisible by 8"


def _transposed(geometry: Convolution) -> Convolution:
    fields = {name: getattr(geometry, name) for name in Convolution.__dataclass_fields__}
    return Convolution(**fields | {"transposed": True})


def test_short_last_groups_are_allowed_when_the_recipe_says_so():
    pruned = laid(with_rules(dense=DenseRule(indivisible=False)))
    assert set(pruned.dense_reasons) == {"stem:FF", "scores:FF"}
    assert pruned.prunings["head:FF"].pattern == Pattern(2, 8)


def test_the_first_convolution_is_pruned_when_the_recipe_says_so():
    assert "stem:FF" in laid(with_rules(dense=DenseRule(first_convolution=False))).prunings


def test_operators_named_dense_stay_dense():
    pruned = laid(with_rules(dense=DenseRule(names=("bo*", "stem"))))
    assert pruned.dense_reasons["body:FF"] == pruned.dense_reasons["body:BP"] == "named dense by the recipe"
    assert set(pruned.prunings) == {"odd:FF", "head:BP"}


def test_layers_may_have_a_ratio_of_their_own():
    rules = (LayerRule(names=("bod?",), sparsity="1:16"), LayerRule(names=("*d*",), sparsity="2:4"))
    pruned = laid(with_rules(layers=rules))
    assert pruned.prunings["body:FF"].pattern == Pattern(1, 16), "the first rule that matches"
    assert pruned.prunings["odd:BP"].pattern == Pattern(2, 4), "20 channels are divisible by 4"
    assert pruned.prunings["head:FF"].pattern == Pattern(2, 4)
    assert pruned.copies["body.weight"].compressed == (Pattern(1, 16), Pattern(1, 16))


def test_a_ratio_may_hold_in_one_stage_alone():
    rules = (
        LayerRule(names=("body",), sparsity="1:16", stages=("BP",)),
        LayerRule(names=("body",), sparsity="2:4", stages=("FF",)),
        LayerRule(names=("head",), sparsity="2:4", stages=("FF",)),
    )
    pruned = laid(with_rules(layers=rules))
    assert pruned.prunings["body:FF"].pattern == Pattern(2, 4)
    assert pruned.prunings["body:BP"].pattern == Pattern(1, 16)
    assert pruned.prunings["head:BP"].pattern == Pattern(2, 8), "the ratio of the run"
    assert pruned.copies["body.weight"].compressed == (Pattern(2, 4), Pattern(1, 16))


@pytest.mark.parametrize(
    ("rules", "field", "got", "need", "near"),
    [
        ({"dense": DenseRule(names=("body", "haed"))}, "dense.names.1", "haed", "product", "head"),
        (
            {"layers": (LayerRule(names=("bodi.*",), sparsity="2:4"),)},
            "layers.0.names.0",
            "bodi.*",
            "product by a weight",
            "body",
        ),
    ],
)
def test_a_rule_that_names_no_product_is_refused_with_the_nearest_path(rules, field, got, need, near):
    with pytest.raises(ConfigError) as wrong:
        laid(with_rules(**rules))
    need = f"need the path of a matrix {need} of small, with * and ?"
    assert str(wrong.value) == f"{field}: got {got!r}, {need}; try {near}"
    assert wrong.value.field == field


@pytest.mark.parametrize(
    "rules",
    [
        {"layers": (LayerRule(names=("scores",), sparsity="2:4"),)},
        {"activations": (ActivationRule(names=("scores",), input="90%"),)},
    ],
)
def test_a_rule_of_products_of_two_activations_alone_is_refused(rules):
    with pytest.raises(ConfigError, match=r"0.names.0: got 'scores', need the path of a matrix product by a weight"):
        laid(with_rules(**rules))


def test_keeping_all_is_dense_and_says_so():
    pruned = laid("bdwp", "8:8")
    assert pruned.prunings == {}
    assert set(pruned.dense_reasons.values()) == {"N = M keeps every element", "product of two activations"}
    alone = laid(with_rules(layers=(LayerRule(names=("body",), sparsity="4:4"),)))
    assert alone.dense_reasons["body:FF"] == "N = M keeps every element"


def test_a_weight_tied_to_an_embedding_stays_dense():
    tied = graph(embedding("wte"), *linear("logits", 64, 96, FF, BP, WU, parameter="wte"), *linear("body", 64, 64, FF))
    pruned = laid("bdwp", over=tied)
    assert pruned.dense_reasons == dict.fromkeys(("logits:FF", "logits:BP"), "weight tied to an embedding")
    assert set(pruned.prunings) == {"body:FF"}
    loose = laid(with_rules(dense=DenseRule(tied_embedding=False)), over=tied)
    assert loose.copies["wte"].dense, "the embedding gathers dense rows"
