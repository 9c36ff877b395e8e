"""Steps of every pass: both engines, memory, the dense step beside them, schedules, and what a result says."""

import json
from functools import cache

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import ConfigError
from bisparse.configs.pattern import Pattern
from bisparse.sim.options import Options
from bisparse.sim.results.simulation_result import SimulationResult
from bisparse.sim.schedule_file import load_schedule, save_schedule
from bisparse.sim.simulation import Simulator
from bisparse.training.recipes.declaration import load_recipe

from bisparse.api import load_workload

CNN, TRANSFORMER = "resnet9-cifar10", "bert-base"
DECODED = {"pass_": "decode", "kv_length": 256}
PASSES = [
    (CNN, {"pass_": "inference"}),
    (CNN, {"freeze": "0,1"}),
    (CNN, {"accumulate": 4}),
    (CNN, {"recompute": "blocks"}),
    (CNN, {"freeze": "0", "recompute": "blocks", "accumulate": 2}),
    (TRANSFORMER, DECODED),
]


@cache
def simulator(workload):
    """Shared by every option, so that equal products are mapped once."""
    return Simulator(
        workload=load_workload(workload),
        hardware=load_hardware("sat-vcu1525"),
        options=Options(batch=16),
        version="test",
    )


@cache
def ran(workload, recipe, options):
    return simulator(workload).with_options(options).run(load_recipe(recipe), Pattern(2, 8))


def result(workload=CNN, recipe="bdwp", **options) -> SimulationResult:
    return ran(workload, recipe, Options(**{"batch": 16} | options))


def named(case):
    return "-".join(map(str, case.values())) if isinstance(case, dict) else case


@pytest.mark.parametrize(("workload", "asked"), PASSES, ids=named)
def test_both_engines_agree(workload, asked):
    analytic, event = (result(workload, engine=engine, **asked) for engine in ("analytic", "event"))
    assert analytic.total_cycles == pytest.approx(event.total_cycles, rel=0.01)
    assert analytic.issued_macs == event.issued_macs
    assert analytic.dram_read_bytes == pytest.approx(event.dram_read_bytes, rel=0.01)


@pytest.mark.parametrize(("workload", "asked"), PASSES, ids=named)
def test_the_dense_step_beside_it_is_of_the_same_pass(workload, asked):
    sparse, dense = result(workload, **asked), result(workload, "dense", **asked)
    assert sparse.dense.total_cycles == dense.total_cycles
    assert sparse.speedup_vs_dense == dense.total_cycles / sparse.total_cycles
    assert dense.speedup_vs_dense == dense.energy_ratio_vs_dense == 1


@pytest.mark.parametrize(("workload", "asked"), PASSES, ids=named)
def test_a_result_says_it_and_survives_json(workload, asked):
    found = result(workload, **asked)
    assert SimulationResult.from_document(json.loads(json.dumps(found.document()))) == found
    if asked == {"pass_": "inference"}:
        assert found.inference
        assert "forward pass" in repr(found)
        return
    assert found.passes is not None
    assert {name: getattr(found.passes, name.replace("pass_", "name")) for name in asked} == asked
    assert found.passes.details in repr(found)


def test_a_plain_step_says_nothing_new():
    assert "passes" not in result().document()


@pytest.mark.parametrize(("workload", "asked"), PASSES, ids=named)
def test_a_schedule_is_replayed_for_its_own_pass_alone(workload, asked, tmp_path):
    made = simulator(workload).with_options(Options(batch=16, **asked))
    recipe = load_recipe("bdwp")
    save_schedule(made.schedule(recipe, Pattern(2, 8)), tmp_path / "s.json")
    saved = load_schedule(tmp_path / "s.json")
    assert {name: saved.content.options[name] for name in asked} == asked
    again = made.run_schedule(made.schedule(recipe, Pattern(2, 8), decisions=saved.decisions), recipe)
    assert again.total_cycles == result(workload, **asked).total_cycles
    saved.check_made_for(**made.options.binding)
    with pytest.raises(ConfigError, match="got a schedule made for"):
        saved.check_made_for(**Options(batch=16).binding)


# Frozen parameters ---------------------------------------------------------------------------------------------------


def test_frozen_weights_have_no_update_and_no_state():
    plain, frozen = result(), result(freeze="0,1")
    assert frozen.passes.frozen_weights == sum(
        simulator(CNN).graph.tensors[name].elements(1)
        for name in simulator(CNN).graph.tensors
        if name.split(".")[0] in ("0", "1") and simulator(CNN).graph.tensors[name].role == "parameter"
    )
    saved = {name: plain.memory.by_category[name] - frozen.memory.by_category[name] for name in ("master_weights",)}
    assert saved == {"master_weights": 4 * frozen.passes.frozen_weights}
    assert not [row for row in frozen.rows if row.stage in ("update", "WU") and row.module.split(".")[0] in ("0", "1")]
    assert frozen.memory.peak_bytes < plain.memory.peak_bytes
    assert frozen.total_cycles < plain.total_cycles


@pytest.mark.parametrize("pre_generation", [True, False])
def test_their_n_m_pairs_are_made_once_whatever_the_design_does_with_those_that_learn(pre_generation):
    def reduced(**asked):
        made = simulator(CNN).with_options(Options(batch=16, pre_generation=pre_generation, **asked))
        found = made.schedule(load_recipe("bdwp"), Pattern(2, 8)).pruned.prunings
        return {name.split(".")[0] for name, pruning in found.items() if pruning.reduced_on_load}

    assert ("3" in reduced(), "3" in reduced(freeze="3")) == (not pre_generation, False)
    assert ("4" in reduced(freeze="3")) == (not pre_generation)


# Micro-batches -------------------------------------------------------------------------------------------------------


def test_micro_batches_take_less_memory_and_one_update():
    plain, cut = result(), result(accumulate=4)
    assert cut.useful_macs == plain.useful_macs
    assert cut.memory.by_category["activations"] < plain.memory.by_category["activations"]
    updates = [[row.dram_read_bytes for row in each.rows if row.stage == "update"] for each in (plain, cut)]
    assert updates[0] == updates[1]
    assert cut.memory.largest_batch % 4 == 0
    assert cut.memory.largest_batch > plain.memory.largest_batch


def test_a_step_of_one_micro_batch_is_the_step():
    assert result(accumulate=1) == result()


def test_what_is_added_up_is_read_and_written_in_fp32():
    (row,) = (row for row in result(accumulate=2).rows if row.name == "0.0:WU@2:sum")
    assert (row.kind, row.dram_read_bytes, row.dram_write_bytes) == ("gradient_add", 2 * 4 * 1728, 4 * 1728)


# Recomputation -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", ["dense", "bdwp"])
def test_recomputation_takes_less_memory_and_more_time(recipe):
    # What is computed again just before it is read may stay on chip.
    plain, again = (result(recipe=recipe, keep_on_chip=False, **asked) for asked in ({}, {"recompute": "blocks"}))
    assert again.memory.peak_bytes < plain.memory.peak_bytes
    assert again.memory.by_category["activations"] < plain.memory.by_category["activations"]
    assert again.total_cycles > plain.total_cycles
    extra = again.by_stage["FF"] / plain.by_stage["FF"]
    assert 1.9 < extra < 2.1
    assert [again.by_stage[stage] for stage in ("WU", "update")] == [
        plain.by_stage[stage] for stage in ("WU", "update")
    ]
    assert again.passes.recomputed_macs <= again.passes.forward_macs


def test_each_product_costs_the_second_time_what_it_costs_the_first():
    rows = {row.name: row for row in result(recompute="blocks", keep_on_chip=False).rows}
    again = [name for name in rows if name.endswith("FF:again")]
    assert len(again) == 8
    for name in again:
        first, second = rows[name.removesuffix(":again")], rows[name]
        assert (first.useful_macs, first.mapping) == (second.useful_macs, second.mapping)


# Decoding ------------------------------------------------------------------------------------------------------------


def test_the_cache_is_read_whole_and_lies_in_memory():
    found = result(TRANSFORMER, "dense", **DECODED)
    cache = 2 * 12 * 16 * 257 * 768 * 2
    assert found.passes.kv_cache_bytes == found.memory.by_category["kv_cache"] == cache
    assert all(point.bytes_by_category["kv_cache"] == cache for point in found.memory.curve)
    attention = [
        row for row in found.rows if row.engine == "tensor" and row.dense_reason == "" and "attention:FF" in row.name
    ]
    assert sum(row.dram_read_bytes for row in attention) >= cache
    assert found.dram_read_bytes < 1.2 * (cache + found.memory.by_category["weight_copies"])


def test_a_longer_cache_takes_longer_and_gains_less_from_sparse_weights():
    steps = [result(TRANSFORMER, **DECODED | {"kv_length": tokens}) for tokens in (64, 256, 1024)]
    cycles = [step.total_cycles for step in steps]
    assert cycles == sorted(set(cycles))
    gains = [step.speedup_vs_dense for step in steps]
    assert gains == sorted(gains, reverse=True)


# What does not go together -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"pass_": "inference", "freeze": "0"}, "freeze: got '0' with pass_ inference, need a training step"),
        ({"pass_": "decode", "accumulate": 2}, "accumulate: got 2 with pass_ decode, need a training step"),
        ({"pass_": "inference", "recompute": "all"}, "recompute: got 'all' with pass_ inference, need a training step"),
        ({"kv_length": 9}, "kv_length: got 9 with pass_ training, need a step that decodes"),
        ({"freeze": 3}, "freeze: got 3, need names with commas between"),
    ],
)
def test_what_does_not_go_together_is_refused(asked, message):
    with pytest.raises(ConfigError, match=f"^{message}"):
        Options(**asked)


def test_names_may_come_as_a_list():
    assert Options(freeze=["0", "1.*"]).freeze == "0,1.*"
