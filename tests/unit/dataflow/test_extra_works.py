"""What a method costs beside products and masks, on one layer of 256 x 256 at 256 tokens, worked out by hand."""

import json
from dataclasses import replace

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.formats import parse_format
from bisparse.dataflow.extra_works import sort_passes
from bisparse.dataflow.scheduler import Mapper, build_schedule, outline
from bisparse.sim.event.engine import time_step as play_step
from bisparse.sim.options import Options
from bisparse.sim.simulation import Simulator
from bisparse.sim.step.analytic import time_step
from bisparse.training.graph import MatrixProduct, Operator, Size, Stage, Tensor, TrainingGraph
from bisparse.training.recipes.annotation import annotate
from bisparse.training.recipes.declaration import Recipe, load_recipe
from bisparse.training.recipes.extra_work import ExtraWork
from pydantic import ValidationError

from bisparse.api import load_workload

SAT = load_hardware("sat-vcu1525").model
"""384 bytes of DRAM a cycle, 40 cycles of latency, 32 lanes in every engine, groups of up to 16 sorted."""

SIZE = Size(fixed=256)
ELEMENTS = 256 * 256
FULL = 4 * ELEMENTS
"""Bytes of the weights, or their gradients, in FP32."""
LATENCY = 40


def layer(name, stage, inputs, output):
    geometry = MatrixProduct(m=SIZE, n=SIZE, k=SIZE)
    return Operator(
        name=name, kind="linear", stage=stage, module="layer", inputs=inputs, outputs=(output,), geometry=geometry,
        parameter="w",
    )  # fmt: skip


ROLES = {"x": "input", "w": "parameter", "y": "activation", "seed": "gradient", "dx": "gradient"}
ONE_LAYER = TrainingGraph(
    name="one layer",
    source="by hand",
    default_batch=1,
    tensors={
        name: Tensor(name=name, shape=(SIZE, SIZE), role=role)
        for name, role in {**ROLES, "dw": "parameter_gradient"}.items()
    },
    operators=(
        layer("layer:FF", Stage.FORWARD, ("x", "w"), "y"),
        layer("layer:WU", Stage.WEIGHT_GRADIENT, ("x", "seed"), "dw"),
        layer("layer:BP", Stage.BACKWARD, ("seed", "w"), "dx"),
        Operator(
            name="w:update", kind="parameter_update", stage=Stage.UPDATE, module="layer", inputs=("w", "dw"),
            outputs=(), parameter="w", elements=Size(fixed=ELEMENTS),
        ),
    ),
)  # fmt: skip


def recipe(*works, base="bdwp"):
    declared = json.loads(load_recipe(base).model.model_dump_json(by_alias=True)) | {"extra_work": list(works)}
    return Recipe.model_validate_json(json.dumps(declared))


def schedule(*works, sparsity="2:8", hardware=SAT, base="bdwp", overlap_vector=False):
    pruned = annotate(ONE_LAYER, recipe(*works, base=base), parse_format(sparsity), pre_generation=True)
    return build_schedule(
        pruned, Mapper(hardware=hardware), batch=1, optimizer="sgd", overlap_update=False, overlap_vector=overlap_vector
    )


def extra(*works, **how):
    """The time and the schedule's work of the only one that is not a product of the layer."""
    planned = schedule(*works, **how)
    (time,) = [each for each in time_step(planned).works if each.work.kind in {each["work"] for each in works}]
    return time


def moved(time):
    demand = time.work.demand()
    return demand.read_bytes, demand.write_bytes


def cycles_of(moved_bytes):
    return -(-moved_bytes // 384)


def test_a_top_k_streams_the_weights_through_the_sorters_once():
    """65536 elements in groups of 8 on 32 lanes: 256 rounds of 8 cycles; each meets the 2 that are kept."""
    time = extra({"work": "top-k"})
    assert time.work.demand().reductions == ((ELEMENTS, 2, 8),)
    assert moved(time) == (FULL, ELEMENTS // 8)
    assert time.cycles == 2048 + LATENCY
    assert time.work.counts_as == "reduction"


def test_what_passes_anyway_moves_no_bytes_and_waits_for_none():
    time = extra({"work": "top-k", "passing": True})
    assert (moved(time), time.cycles) == ((0, 0), 2048)


def test_zeros_without_a_rule_are_sorted_in_the_largest_groups_that_there_are():
    time = extra({"work": "top-k"}, sparsity="75%", base="static-masks")
    assert time.work.demand().reductions == ((ELEMENTS, 4, 16),)


def test_a_sort_is_merged_pass_by_pass_and_all_but_the_last_is_written_back():
    """16 lists at a time: 65536 elements are 16^4, so 4 passes of 2048 cycles."""
    time = extra({"work": "sort"})
    assert time.work.demand().reductions == ((ELEMENTS, 16, 16),) * 4
    assert moved(time) == (4 * FULL, 3 * FULL)
    assert time.cycles == 4 * 2048 + LATENCY > cycles_of(7 * FULL)


@pytest.mark.parametrize(("elements", "passes"), [(1, 1), (8, 1), (9, 2), (64, 2), (65, 3), (512, 3), (513, 4)])
def test_sort_passes_are_the_logarithm_of_the_list(elements, passes):
    assert sort_passes(elements, 8) == passes


def test_a_permutation_search_passes_its_stream_through_the_sorters_again_and_again():
    time = extra({"work": "permutation-search", "passes": 10})
    assert time.work.demand().reductions == ((10 * ELEMENTS, 2, 8),)
    assert moved(time) == (FULL, ELEMENTS // 8)
    assert time.cycles == 20480 + LATENCY


@pytest.mark.parametrize(
    ("work", "operations", "read", "written"),
    [
        ({"work": "threshold"}, ELEMENTS, FULL, ELEMENTS // 8),
        ({"work": "threshold", "of": "activations"}, ELEMENTS, 2 * ELEMENTS, ELEMENTS // 8),
        ({"work": "threshold", "of": "output-gradients"}, ELEMENTS, 2 * ELEMENTS, ELEMENTS // 8),
        ({"work": "threshold", "of": "weight-gradients", "passes": 2}, 2 * ELEMENTS, FULL, ELEMENTS // 8),
        ({"work": "mask-update"}, ELEMENTS, ELEMENTS // 8, ELEMENTS // 8),
        ({"work": "average", "passes": 3}, 3 * ELEMENTS, 3 * FULL, FULL),
        ({"work": "group-step", "passes": 11, "layers": ["w"]}, 11 * ELEMENTS, FULL, FULL),
    ],
)
def test_lanes_take_an_operation_an_element(work, operations, read, written):
    time = extra(work)
    demand = time.work.demand()
    assert (demand.lane_operations, demand.reductions) == (operations, ())
    assert moved(time) == (read, written)
    assert time.cycles == max(operations // 32, cycles_of(read + written)) + LATENCY
    assert time.work.counts_as == "vector"


def test_products_run_on_the_array():
    scores = extra({"work": "score-product", "of": "weights", "rank": 8})
    assert [(each.gemm.m, each.gemm.n, each.gemm.k) for each in scores.work.products] == [(256, 256, 8)]
    predictor = extra({"work": "predictor-product", "of": "activations", "rank": 16})
    sides = [(each.gemm.m, each.gemm.n, each.gemm.k) for each in predictor.work.products]
    assert sides == [(256, 16, 256), (256, 256, 16)]
    assert predictor.work.useful_macs == 2 * 256 * 256 * 16
    assert predictor.work.dense_macs == 0, "the dense algorithm has no such product"


def test_the_layer_s_own_works_are_left_as_they_were():
    plain, more = schedule(), schedule({"work": "sort"}, {"work": "threshold"})
    assert more.works[: len(plain.works)] == plain.works
    assert [work.kind for work in more.works[len(plain.works) :]] == ["sort", "threshold"]
    assert more.updates == plain.updates
    before, after = time_step(plain), time_step(more)
    assert after.total_cycles == before.total_cycles + (4 * 2048 + LATENCY) + (2048 + LATENCY)


def test_what_is_not_in_every_step_is_in_no_step():
    assert schedule({"work": "sort", "every_steps": 2}, {"work": "threshold", "every_steps": "once"}).works == (
        schedule().works
    )


@pytest.mark.parametrize("overlap_vector", [False, True])
def test_events_take_as_long_as_the_closed_form(overlap_vector):
    works = [
        {"work": "sort", "of": "weight-gradients"},
        {"work": "threshold", "of": "activations"},
        {"work": "predictor-product", "of": "activations", "rank": 16},
        {"work": "mask-update"},
    ]
    planned = schedule(*works, overlap_vector=overlap_vector)
    assert play_step(planned).total_cycles == pytest.approx(time_step(planned).total_cycles, rel=0.01)


def test_an_outline_has_the_works_of_a_schedule_unmapped():
    works = [{"work": "sort"}, {"work": "score-product", "rank": 8}]
    planned = schedule(*works)
    outlined = outline(planned.pruned, SAT, batch=1, optimizer="sgd")
    assert [work.operator for work in outlined.every_work] == [work.operator for work in planned.works]
    assert outlined.needs == planned.needs


def test_a_forward_pass_alone_works_on_activations_alone():
    forward = replace(ONE_LAYER, operators=ONE_LAYER.operators[:1])
    works = ({"work": "sort"}, {"work": "threshold", "of": "activations"}, {"work": "score-product", "rank": 8})
    pruned = annotate(forward, recipe(*works), parse_format("2:8"), pre_generation=True)
    planned = build_schedule(pruned, Mapper(hardware=SAT), batch=1, optimizer="sgd", overlap_update=False)
    assert [work.kind for work in planned.works] == ["linear", "threshold"]


@pytest.mark.parametrize("options", [{"accumulate": 2}, {"recompute": "all"}, {"accumulate": 2, "recompute": "all"}])
def test_each_micro_batch_and_each_pass_again_has_its_own(options):
    """As many thresholds as forward products that are pruned; weights are sorted once."""
    simulator = Simulator(
        workload=load_workload("resnet9-cifar10"),
        hardware=load_hardware("sat-vcu1525"),
        options=Options(batch=8, **options),
        version="test",
    )
    planned = simulator.schedule(
        recipe({"work": "sort"}, {"work": "threshold", "of": "activations"}), parse_format("2:8")
    )
    assert len({work.operator for work in planned.works}) == len(planned.works)
    forward = [each for each in planned.pruned.graph.products if each.stage is Stage.FORWARD]
    pruned = [each for each in forward if each.name in planned.pruned.prunings]
    kinds = [work.kind for work in planned.works]
    assert kinds.count("threshold") == len({each.inputs[0] for each in pruned})
    assert kinds.count("sort") == len(planned.pruned.copies)


def test_only_what_is_pruned_is_worked_on():
    pruned = annotate(ONE_LAYER, recipe({"work": "sort"}), parse_format("8:8"), pre_generation=True)
    planned = build_schedule(pruned, Mapper(hardware=SAT), batch=1, optimizer="sgd", overlap_update=False)
    assert not any(work.kind == "sort" for work in planned.works)


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"work": "score-product"}, "rank: got None of score-product, need a rank"),
        ({"work": "sort", "rank": 8}, "rank: got 8 of sort, need none"),
        ({"work": "score-product", "rank": 8, "of": "output-gradients"}, "need weights or activations"),
        ({"work": "predictor-product", "rank": 8}, "need activations"),
        ({"work": "threshold", "whole_network": True}, "need top-k or sort"),
        ({"work": "average", "of": "activations"}, "need weights"),
        ({"work": "weight-gradient"}, "try weight_gradient: dense"),
        ({"work": "group-step"}, "layers: got none of group-step, need the layers"),
        ({"work": "sort", "layers": ("w",)}, "layers: got w of sort, need none"),
        ({"work": "sort", "from_share": 0.5, "until_share": 0.25}, "need at most until_share"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(declared, told):
    with pytest.raises(ValidationError, match=told):
        ExtraWork(**declared)


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"extra_work": [{"work": "sort"}, {"work": "sort"}]}, "twice, need names that differ"),
        ({"extra_work": [{"work": "weight-gradient", "every_steps": 5}]}, "need weight_gradient: kept beside it"),
        ({"layer_density": "erk"}, "need uniform, or masks that are given"),
        ({"forward": None, "backward": None, "extra_work": [{"work": "sort"}]}, "need a stage that is pruned"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(declared, told):
    whole = json.loads(load_recipe("bdwp").model.model_dump_json(by_alias=True)) | {"decay": None}
    with pytest.raises(ValidationError, match=told):
        Recipe.model_validate_json(json.dumps(whole | declared))
