"""What every recipe, pattern, dataflow, design and objective must satisfy: one suite for all of them."""

import json
from functools import cache

import pytest
from bisparse.accel.engines import OPTIMIZERS
from bisparse.accel.specification import load_hardware
from bisparse.configs.library import names
from bisparse.configs.pattern import Pattern
from bisparse.dataflow.cycle_causes import CYCLE_CAUSES, STAGES
from bisparse.dataflow.objective import NAMES
from bisparse.sim.options import OF_PASSES, Options
from bisparse.sim.results.simulation_result import SimulationResult
from bisparse.sim.simulation import Simulator
from bisparse.training.graph import TrainingGraph
from bisparse.training.recipes.declaration import load_recipe

import bisparse
from bisparse.api import load_workload

from .pairs import pairs, prunes, recipes_of_a_step

DESIGNS = names("hardware")
RECIPES = recipes_of_a_step()
"""Those with rewrites stand in `tests/unit/sim/test_shipped_methods.py`."""

WORKLOAD = "resnet9-cifar10"


@cache
def hardware(name):
    return load_hardware(name)


@cache
def simulator(design) -> Simulator:
    """Shared by every option, so that equal products are mapped once."""
    return Simulator(
        workload=load_workload(WORKLOAD), hardware=hardware(design), options=Options(batch=64), version="test"
    )


PASSES = [
    {"pass_": "inference"},
    {"freeze": "0,1"},
    {"accumulate": 4},
    {"recompute": "blocks"},
    {"freeze": "0", "recompute": "all", "accumulate": 2},
]


def run(recipe="bdwp", design="sat-vcu1525", sparsity="2:8", **options) -> SimulationResult:
    return ran(recipe, design, sparsity, Options(batch=64, **options))


@cache
def ran(recipe, design, sparsity, options) -> SimulationResult:
    """By all that a run is of, so that a default that is spelled out is no run of its own."""
    return simulator(design).with_options(options).run(load_recipe(recipe), Pattern.parse(sparsity))


def supported(design):
    return hardware(design).model.tensor_engine.patterns


CASES = [
    *[{"recipe": recipe, "design": design} for recipe, design in pairs(RECIPES, DESIGNS)],
    *[{"recipe": recipe, "sparsity": pattern} for recipe in ("bdwp", "sdgp") for pattern in supported("sat-vcu1525")],
    *[
        {"design": "datacenter-128x128", "recipe": recipe, "dataflows": (dataflow,)}
        for dataflow in ("os", "ws", "is")
        for recipe in ("bdwp", "sdgp")
    ],
    *[{"design": design, "interleave": False} for design in DESIGNS if prunes(design)],
    *[{"objective": objective} for objective in NAMES],
    *[{"optimizer": optimizer} for optimizer in OPTIMIZERS],
    *[{"recipe": recipe, "design": design, "engine": "event"} for recipe, design in pairs(RECIPES, DESIGNS, turn=1)],
    *[{"engine": engine, "overlap_vector": True, "timeline": engine == "event"} for engine in ("analytic", "event")],
    *[{"engine": "event", "recipe": "sdgp", "pre_generation": False, "overlap_update": over} for over in (False, True)],
    *[
        {"recipe": recipe, "pre_generation": ahead, "overlap_update": overlap}
        for ahead in (False, True)
        for overlap in (False, True)
        for recipe in ("bdwp", "sdgp", "bi-mask")
    ],
    *[{"recipe": recipe, "keep_on_chip": False} for recipe in RECIPES],
    *[
        {"recipe": recipe, "engine": engine, **passes}
        for recipe in ("dense", "bdwp", "sdgp")
        for engine in ("analytic", "event")
        for passes in PASSES
    ],
]


@pytest.fixture(params=CASES, ids=lambda case: "-".join(str(value) for value in case.values()))
def result(request) -> SimulationResult:
    return run(**request.param)


def test_every_cycle_has_one_stage_and_one_cause(result):
    assert list(result.by_stage) == list(STAGES)
    assert list(result.stalls) == list(CYCLE_CAUSES)
    assert sum(result.by_stage.values()) == sum(result.stalls.values()) == result.total_cycles
    assert all(cycles >= 0 for cycles in (*result.by_stage.values(), *result.stalls.values()))
    for row in result.rows:
        assert sum(row.causes.values()) == row.cycles


def test_the_rows_add_up_to_the_step(result):
    rows = result.rows
    assert sum(row.cycles for row in rows) == result.total_cycles
    assert sum(row.dram_read_bytes for row in rows) == result.dram_read_bytes
    assert sum(row.dram_write_bytes for row in rows) == result.dram_write_bytes
    assert sum(row.issued_macs for row in rows) == result.issued_macs
    assert sum(row.energy_joules for row in rows) == pytest.approx(result.energy_joules)
    assert sum(result.energy_by_component.values()) == pytest.approx(result.energy_joules)
    assert sum(part.cycles for part in result.breakdown) == result.total_cycles
    assert sum(part.energy_joules for part in result.breakdown) == pytest.approx(result.energy_joules)


def test_no_step_is_faster_than_its_roofline(result):
    assert result.total_cycles * result.peak_macs_per_cycle >= result.issued_macs
    moved = result.dram_read_bytes + result.dram_write_bytes
    assert result.total_cycles * result.dram_bytes_per_cycle >= moved
    assert result.total_cycles >= result.by_engine["dram"]
    assert 0 < result.array_utilisation <= 1
    assert all(0 <= row.array_utilisation <= 1 for row in result.rows)


def test_pruning_keeps_the_share_of_the_arithmetic_that_it_says(result):
    graph = load_workload(WORKLOAD).graph_of(_options_of(result))
    assert result.flop_bound_speedup == pytest.approx(graph.macs(result.batch) / result.useful_macs)
    assert result.flop_bound_speedup >= 1


def _options_of(result):
    """Those that say what of the network was run."""
    if result.passes is None:
        return Options(pass_="inference" if result.inference else "training")
    return Options(**{name: getattr(result.passes, field) for name, field in OF_PASSES.items()})


def test_a_result_survives_json(result):
    document = json.loads(json.dumps(result.document()))
    assert SimulationResult.from_document(document) == result


def test_memory_at_its_peak_is_the_top_of_the_curve(result):
    memory = result.memory
    tops = [memory.across_steps_bytes + sum(point.bytes_by_category.values()) for point in memory.curve]
    assert max(tops) == memory.peak_bytes == sum(memory.by_category.values())
    assert memory.curve[tops.index(max(tops))].operator == memory.peak_operator
    assert memory.fits == (memory.peak_bytes <= memory.capacity_bytes) == (result.batch <= memory.largest_batch)


@pytest.mark.parametrize(("recipe", "design"), pairs(RECIPES, DESIGNS))
def test_tensors_on_chip_save_traffic_and_energy_and_never_cost_time(recipe, design):
    kept, unkept = (run(recipe, design, keep_on_chip=keep) for keep in (True, False))
    moved, before = (each.dram_read_bytes + each.dram_write_bytes for each in (kept, unkept))
    assert before - moved == kept.on_chip.saved_bytes >= 0
    assert kept.total_cycles <= unkept.total_cycles
    assert kept.energy_joules <= unkept.energy_joules
    assert [row.mapping for row in kept.rows] == [row.mapping for row in unkept.rows]


@pytest.mark.parametrize(
    ("recipe", "design"), [each for each in pairs(RECIPES, DESIGNS) if supported(each[1]) and each[0] != "dense"]
)
def test_more_sparsity_is_never_more_arithmetic_or_time(recipe, design):
    steps = [run(recipe, design, pattern) for pattern in ("2:4", "2:8", "1:8")]
    assert [step.useful_macs for step in steps] == sorted((step.useful_macs for step in steps), reverse=True)
    assert [step.total_cycles for step in steps] == sorted((step.total_cycles for step in steps), reverse=True)


@pytest.mark.parametrize("recipe", RECIPES)
def test_keeping_n_of_n_is_the_dense_step(recipe):
    kept, dense = run(recipe, sparsity="4:4"), run("dense")
    assert kept.total_cycles == dense.total_cycles
    assert kept.useful_macs == dense.useful_macs


def test_the_patterns_stand_in_the_order_that_theory_gives():
    by_pattern = {pattern: run("bdwp", sparsity=pattern) for pattern in ("2:4", "2:8", "1:8", "2:16")}
    bounds = {name: 3 / (1 + 2 * Pattern.parse(name).density) for name in by_pattern}
    speedups = {name: result.speedup_vs_dense for name, result in by_pattern.items()}
    assert speedups["2:4"] < speedups["2:8"] < speedups["1:8"]
    assert speedups["2:16"] == pytest.approx(speedups["1:8"], rel=0.01)
    assert all(1 < speedups[name] < bounds[name] for name in by_pattern)


@pytest.mark.parametrize("objective", ["energy", "energy-delay"])
def test_an_objective_is_best_at_what_it_minimises(objective):
    by_time, by_other = run(), run(objective=objective)
    delay = (
        1 if objective == "energy" else by_other.by_scope["gemm"].total_cycles / by_time.by_scope["gemm"].total_cycles
    )
    assert by_other.by_scope["gemm"].energy_joules * delay <= by_time.by_scope["gemm"].energy_joules * (1 + 1e-9)


def test_a_graph_in_memory_gives_the_result_of_its_file():
    graph = load_workload(WORKLOAD).graph
    assert isinstance(graph, TrainingGraph)
    from_graph = bisparse.simulate(graph, batch=64)
    assert from_graph.total_cycles == run().total_cycles
    assert [row.mapping for row in from_graph.rows] == [row.mapping for row in run().rows]
