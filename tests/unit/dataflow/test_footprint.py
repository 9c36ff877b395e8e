"""Memory of a step, worked out by hand in the docstrings, and laws on the shipped networks."""

from fractions import Fraction

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.library import names
from bisparse.configs.pattern import Pattern
from bisparse.dataflow import footprint
from bisparse.dataflow.footprint import LARGEST_BATCH, MemoryPlan
from bisparse.training.graph import Size, Stage, Tensor
from bisparse.training.recipes.annotation import annotate
from bisparse.training.recipes.declaration import load_recipe

from bisparse.api import load_workload

from .hand_made import annotated

SAT = load_hardware("sat-vcu1525").model
BDWP = load_recipe("bdwp").model


def with_capacity(capacity_bytes):
    return SAT.model_copy(update={"dram": SAT.dram.model_copy(update={"capacity_bytes": capacity_bytes})})


def plan(pruned=None, *, optimizer="sgd-momentum", hardware=SAT):
    return MemoryPlan.of(pruned or annotated(), hardware, optimizer)


def of_workload(name, recipe=BDWP, hardware=SAT):
    pruned = annotate(load_workload(name).graph, recipe, Pattern(2, 8), pre_generation=True)
    return MemoryPlan.of(pruned, hardware, "sgd-momentum")


def test_a_two_layer_step_work_by_work():
    """Batch 4; FP16: x 256 bytes, r and dh 128, y and dy 64; FP32: dw1 2048, dw2 512. Works and what is live:

    l1:FF x r; l2:FF x r y; loss x r y dy; l2:WU x r dy dw2; l2:BP x r dy dw2 dh; l1:WU x dw2 dh dw1.
    """
    footprint = plan().footprint(4)
    assert footprint.within_step["inputs"] == (256,) * 6
    assert footprint.within_step["activations"] == (128, 192, 192, 128, 128, 0)
    assert footprint.within_step["gradients"] == (0, 0, 64, 64, 192, 128)
    assert footprint.within_step["weight_gradients"] == (0, 0, 0, 512, 512, 2560)


def test_what_lasts_across_steps_and_where_the_peak_is():
    """640 weights: master 2560, momentum 2560, FP16 copy 1280; and 256 + 128 + 2560 at the last work."""
    footprint = plan().footprint(4)
    assert (footprint.across_steps["master_weights"], footprint.across_steps["optimizer_state"]) == (2560, 2560)
    assert footprint.across_steps["weight_copies"] == 1280
    assert footprint.peak_bytes == 2560 + 2560 + 1280 + 256 + 128 + 2560
    assert footprint.works[footprint.peak] == ("l1:WU", "WU")
    assert sum(footprint.at_peak.values()) == footprint.peak_bytes


def test_an_optimizer_that_knows_kept_weights_alone_keeps_nothing_of_the_others():
    slope, static = (of_workload("resnet9-cifar10", load_recipe(name).model) for name in ("slope", "static-masks"))
    kept = {
        operator.parameter
        for operator in slope.pruned.graph.products
        if operator.stage is Stage.FORWARD and operator.name in slope.pruned.prunings
    }
    pruned = sum(slope.pruned.graph.tensors[name].elements(1) for name in kept) * 3 // 4
    for category in ("master_weights", "optimizer_state"):
        assert static.across_steps[category] - slope.across_steps[category] == 4 * pruned
    for category in ("weight_copies", "masks"):
        assert static.across_steps[category] == slope.across_steps[category]


@pytest.mark.parametrize(
    ("optimizer", "state_bytes"), [("sgd", 0), ("sgd-momentum", 4), ("adam", 8), ("adam-frozen", 8)]
)
def test_an_optimizer_keeps_its_state(optimizer, state_bytes):
    assert plan(optimizer=optimizer).across_steps["optimizer_state"] == 640 * state_bytes


def test_a_pruned_weight_keeps_two_streams_and_a_mask_in_place_of_its_copy():
    """BDWP at 2:8 keeps a quarter, 19 bits each: w1 has no BP, so 128 pairs are 304 bytes, once; w2 has 32 pairs,
    76 bytes, twice. Masks: 64 and 16 bytes."""
    recipe = BDWP.model_copy(update={"dense": BDWP.dense.model_copy(update={"first_convolution": False})})
    across = plan(annotated(recipe, Pattern(2, 8))).across_steps
    assert across["weight_copies"] == 304 + 2 * 76
    assert across["masks"] == 64 + 16


def test_the_largest_batch_is_where_the_closed_form_says():
    """The peak of a batch B is at l1:WU: 6400 + 2560 + (64 + 32) B bytes."""
    for capacity_bytes, batch in ((8960 + 96 * 10, 10), (8960 + 96 * 11 - 1, 10), (8960 + 96, 1), (8960 + 95, 0)):
        assert plan(hardware=with_capacity(capacity_bytes)).largest_batch() == batch
    assert plan(hardware=with_capacity(1 << 80)).largest_batch() == LARGEST_BATCH


@pytest.mark.parametrize("name", names("workloads"))
def test_the_largest_batch_fits_and_one_more_sample_does_not(name):
    card = of_workload(name)
    largest = card.largest_batch()
    assert card.fits(largest)
    assert not card.fits(largest + 1)
    assert card.peak_bytes(largest) == card.footprint(largest).peak_bytes <= SAT.dram.capacity_bytes


@pytest.mark.parametrize("name", names("workloads"))
def test_the_stash_of_the_graph_is_in_memory_when_the_backward_pass_begins(name):
    """Every saved activation of FF is live at the first work of the backward pass; nothing else of FF is stored by
    then but what that work itself reads, and results that nobody reads are gone."""
    card = of_workload(name)
    graph, order = card.pruned.graph, card.order
    begins = next(at for at, group in enumerate(order.groups) if group.operator.stage is not Stage.FORWARD)
    carried = {fused.carried for group in order.groups for fused in group.fused_operators}
    stash = {tensor.name for tensor in graph.saved_activations()}
    live = {
        life.tensor
        for life in card.lives
        if life.first < begins <= life.last and graph.tensors[life.tensor].role in ("input", "activation")
    }
    assert stash & carried == set()
    assert live == stash


def test_memory_never_shrinks_with_the_batch():
    card = of_workload("vit-cifar10")
    peaks = [card.peak_bytes(batch) for batch in (1, 2, 3, 7, 64, 65, 1000)]
    assert peaks == sorted(peaks)


def test_no_mapping_is_searched_to_find_the_largest_batch(monkeypatch):
    monkeypatch.setattr("bisparse.dataflow.search.best_mappings", None)
    monkeypatch.setattr("bisparse.dataflow.scheduler.best_forms", None)
    assert of_workload("resnet50-imagenet").largest_batch() > 512


def test_shares_of_a_batch_take_whole_elements():
    tensor = Tensor(name="x", shape=(Size(per_sample=1, samples=4), Size(fixed=3)), role="activation")
    assert footprint._elements_by_degree(tensor, 1) == [0, Fraction(3, 4)]
    assert footprint._elements_by_degree(tensor, 8) == [0, 6]
    assert footprint._at({1: (Fraction(3, 4),)}, 6, 1) == (5,)
