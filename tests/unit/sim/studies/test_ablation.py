"""An ablation: each switch changes what it should and nothing else, and a row that cannot be says why."""

import json
from dataclasses import replace
from functools import cache

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import ConfigError, MappingError
from bisparse.configs.pattern import Pattern
from bisparse.dataflow.works import TensorWork
from bisparse.sim.options import Options
from bisparse.sim.simulation import Simulator
from bisparse.sim.studies.ablation.ablation import SWITCHES, Ablation
from bisparse.sim.studies.ablation.run_ablation import ablate
from bisparse.training.recipes.declaration import load_recipe

import bisparse
from bisparse.api import load_workload

RESNET9, BDWP, PATTERN = load_workload("resnet9-cifar10"), load_recipe("bdwp"), Pattern(2, 8)
SAT = load_hardware("sat-vcu1525")


def simulator(hardware=SAT, **options):
    return Simulator(workload=RESNET9, hardware=hardware, options=Options(batch=16, **options), version="test")


def design(**fields):
    """SAT with another tensor engine, as if it were in a file."""
    engine = SAT.model.tensor_engine.model_copy(update=fields)
    return replace(SAT, model=SAT.model.model_copy(update={"tensor_engine": engine}))


def without_zero_insertion(loaded):
    """The same, where nothing that was pruned can be multiplied densely."""
    buffers = loaded.model.buffers.model_copy(update={"zero_insertion": False})
    return replace(loaded, model=loaded.model.model_copy(update={"buffers": buffers}))


@cache
def sat():
    return ablate(simulator(), BDWP, PATTERN)


def schedule(row, recipe=BDWP):
    options = {name: getattr(row.setting, name) for name in ("interleave", "pre_generation", "overlap_update")}
    return simulator(dataflows=row.setting.dataflows, **options).schedule(recipe, PATTERN)


def mappings(row):
    return [product.mapping.array for product in schedule(row).products]


# What each switch changes --------------------------------------------------------------------------------------------


def test_there_is_a_row_for_all_off_each_alone_all_but_each_and_all_on():
    assert [(row.group, row.switch, row.setting.dataflows) for row in sat().rows] == [
        ("all off", "", ("os",)),
        ("all off", "", ("ws",)),
        ("alone", "interleave", ("os",)),
        ("alone", "pre_generation", ("os",)),
        ("alone", "dataflow_choice", ("os", "ws")),
        ("alone", "overlap_update", ("os",)),
        ("all but", "interleave", ("os", "ws")),
        ("all but", "pre_generation", ("os", "ws")),
        ("all but", "dataflow_choice", ("os",)),
        ("all but", "dataflow_choice", ("ws",)),
        ("all but", "overlap_update", ("os", "ws")),
        ("all on", "", ("os", "ws")),
    ]
    assert all(row.figures is not None and row.reason == "" for row in sat().rows)


@pytest.mark.parametrize("group", ["alone", "all but"])
@pytest.mark.parametrize("switch", SWITCHES)
def test_a_row_differs_from_all_off_or_all_on_in_its_switch_alone(group, switch):
    other = sat().base if group == "alone" else sat().all_on
    field = "dataflows" if switch == "dataflow_choice" else switch
    for row in sat().of(group, switch):
        assert row.setting != other.setting
        assert replace(row.setting, **{field: getattr(other.setting, field)}) == other.setting


def test_without_interleave_every_mapping_works_on_one_accumulation():
    for row in (*sat().of("all off"), *sat().of("all but", "interleave")):
        assert {(each.interleave_m, each.interleave_n, each.interleave) for each in mappings(row)} == {(1, 1, 1)}
    assert any(each.interleave_m * each.interleave_n > 1 for each in mappings(sat().of("alone", "interleave")[0]))


def test_a_single_dataflow_is_the_only_one_in_its_schedule():
    for row in (*sat().of("all off"), *sat().of("all but", "dataflow_choice")):
        assert {each.dataflow for each in mappings(row)} == set(row.setting.dataflows)
    chosen = {each.dataflow for each in mappings(sat().of("alone", "dataflow_choice")[0])}
    assert chosen <= {"os", "ws"}
    assert "ws" in chosen


def test_pre_generation_makes_two_streams_in_the_update_and_its_absence_reduces_on_the_way_in():
    (without,) = sat().of("all but", "pre_generation")
    ahead, online = schedule(sat().all_on), schedule(without)

    def reduced_on_load(made):
        return sum(product.gemm.reduced_on_load is not None for product in made.products)

    def streams(made):
        return sum(len(update.reductions) for update in made.updates)

    assert (reduced_on_load(ahead), streams(online)) == (0, 0)
    assert reduced_on_load(online) > 0
    # One for each pruned product; the classifier's ten outputs do not divide by 8, so its BP has none.
    assert streams(ahead) == len(ahead.pruned.prunings)
    assert max(len(update.reductions) for update in ahead.updates) == 2


def test_overlap_and_pre_generation_leave_the_search_of_dense_products_alone():
    def dense(row):
        works = (work for work in schedule(row).works if isinstance(work, TensorWork))
        return [each.mapping for work in works for each in work.products if not each.gemm.compressed]

    for switch in ("overlap_update", "pre_generation"):
        (row,) = sat().of("all but", switch)
        assert dense(row) == dense(sat().all_on)


def test_overlap_changes_what_is_exposed_of_the_update_and_no_product():
    (without,) = sat().of("all but", "overlap_update")
    on, off = sat().all_on.figures, without.figures
    assert off.gemm_cycles == on.gemm_cycles
    assert off.exposed_update_cycles > on.exposed_update_cycles
    changed = {cause for cause in on.stalls if on.stalls[cause] != off.stalls[cause]}
    assert changed <= {"update", "reduction"}


# What the figures are ------------------------------------------------------------------------------------------------


def test_all_on_is_what_simulate_gives():
    plain = simulator().run(BDWP, PATTERN)
    on = sat().all_on.figures
    assert (on.total_cycles, on.energy_joules, on.stalls) == (plain.total_cycles, plain.energy_joules, plain.stalls)
    assert on.dense_cycles == plain.dense.total_cycles
    assert on.speedup_vs_dense == plain.speedup_vs_dense


def test_every_row_is_what_simulate_gives_under_its_options():
    """Rows share searches, costs and dense steps; each must be what it is by itself."""
    for row in sat().rows:
        setting = row.setting
        alone = simulator(
            interleave=setting.interleave,
            pre_generation=setting.pre_generation,
            overlap_update=setting.overlap_update,
            dataflows=setting.dataflows,
        ).run(BDWP, PATTERN)
        assert row.figures.total_cycles == alone.total_cycles
        assert row.figures.dense_cycles == alone.dense.total_cycles
        assert row.figures.dram_read_bytes == alone.dram_read_bytes


def test_gains_are_over_all_off_when_alone_and_of_all_on_when_alone_off():
    base, on = sat().base.figures.total_cycles, sat().all_on.figures.total_cycles
    for row in sat().rows:
        own = row.figures.total_cycles
        assert row.speedup == base / own
        assert row.gain == {"alone": base / own, "all but": own / on}.get(row.group)


def test_every_cycle_of_a_row_has_a_cause():
    for row in sat().rows:
        assert sum(row.figures.stalls.values()) == row.figures.total_cycles


def test_an_ablation_survives_json():
    assert Ablation.from_document(json.loads(json.dumps(sat().document()))) == sat()


def test_the_table_has_a_row_a_setting():
    table = sat().table
    assert len(table) == len(sat().rows)
    assert list(table["figures.total_cycles"]) == [row.figures.total_cycles for row in sat().rows]
    assert {"group", "switch", "setting.interleave", "gain", "figures.stalls.bubble"} <= set(table.columns)


# What cannot be switched ---------------------------------------------------------------------------------------------


def test_a_design_without_registers_has_no_interleave_to_switch():
    textbook = bisparse.ablate("resnet9-cifar10", hardware="systolic-textbook", recipe="dense", batch=4)
    for group in ("alone", "all but"):
        (row,) = textbook.of(group, "interleave")
        assert row.reason == "not on this design: register_depth 1 holds one accumulation"
        assert (row.figures, row.speedup, row.gain) == (None, None, None)
    assert [row.setting.dataflows for row in textbook.of("all off")] == [("os",), ("ws",), ("is",)]


def test_pre_generation_does_nothing_to_a_step_without_pruned_weights():
    for recipe in ("dense", "sdgp"):
        (row,) = bisparse.ablate("resnet9-cifar10", recipe=recipe, batch=4, hardware="datacenter-128x128").of(
            "alone", "pre_generation"
        )
        assert row.reason == "nothing to make ahead: no product of this step has N:M weights"


def test_a_dataflow_that_the_design_lacks_is_a_row_that_says_so():
    one = ablate(simulator(design(dataflows=("os",))), BDWP, PATTERN)
    assert [row.reason for row in one.of("all off")] == ["", "not on this design: it offers os"]
    assert {row.reason for row in one.of("alone", "dataflow_choice")} == {"not on this design: it offers os alone"}
    assert one.base.figures.total_cycles == sat().base.figures.total_cycles
    other = ablate(simulator(design(dataflows=("ws",))), BDWP, PATTERN)
    assert other.base_dataflow == "ws"
    assert other.base.figures.total_cycles == sat().of("all off")[1].figures.total_cycles


def test_a_setting_without_a_mapping_is_a_row_with_the_reason():
    """Weight stationary 2:8 needs two registers a group."""
    narrow = ablate(simulator(without_zero_insertion(design(register_depth=1))), BDWP, PATTERN)
    (_, only_ws) = narrow.of("all off")
    assert only_ws.figures is None
    assert "need a dataflow that can select for it and a register_depth that holds a group" in only_ws.reason
    assert narrow.all_on.figures is not None


def test_a_ratio_that_no_row_can_have_is_refused():
    with pytest.raises(MappingError, match="sparsity: got 3:7, need one that sat-vcu1525 has"):
        ablate(simulator(), BDWP, Pattern(3, 7))


@pytest.mark.parametrize(
    ("option", "value"),
    [("interleave", False), ("pre_generation", True), ("overlap_update", False), ("dataflows", ("os",))],
)
def test_an_option_that_is_itself_switched_is_refused(option, value):
    with pytest.raises(ConfigError) as wrong:
        bisparse.ablate("resnet9-cifar10", **{option: value})
    assert str(wrong.value) == f"{option}: got {value!r}, need it left out: an ablation sets it itself"


def test_other_options_reach_every_row():
    adam = bisparse.ablate("resnet9-cifar10", batch=16, optimizer="adam", objective="energy")
    assert (adam.optimizer, adam.objective, adam.batch) == ("adam", "energy", 16)
    assert all(
        ours.figures.dram_read_bytes > theirs.figures.dram_read_bytes
        for ours, theirs in zip(adam.of("alone", "interleave"), sat().of("alone", "interleave"), strict=True)
    )
