"""A design space: which designs it holds, and what each of them is."""

import json
import pickle
import shutil
import time
from collections import Counter
from itertools import product
from random import Random

import pytest
from bisparse.accel.specification import PARTS, Hardware, load_hardware
from bisparse.configs.errors import ConfigError
from bisparse.configs.library import content_hash, find
from bisparse.configs.schema import Provenance, load
from bisparse.sim.studies.explore.estimating import RuledOut, ruled_out
from bisparse.sim.studies.explore.figures import FIGURES, KNOWN_BEFORE, hardware_figures
from bisparse.sim.studies.explore.loading import load_space, space_of_data

BASE = {"hardware": "sat-vcu1525", "workload": "resnet9-cifar10", "recipe": "bdwp", "sparsity": "2:8", "batch": 8}
ROWS, COLS, CLOCK = "hardware.tensor_engine.rows", "hardware.tensor_engine.cols", "hardware.clock_hz"
WEST, KEEPS = "hardware.buffers.west.capacity_bytes", "hardware.policy.keep_on_chip"


def space(axes, *, base=None, **rest):
    data = {"name": "small", "base": BASE | (base or {}), "axes": axes, "objectives": [{"minimise": "step_seconds"}]}
    return space_of_data(data | rest, version="1")


# Which designs -------------------------------------------------------------------------------------------------------


def test_designs_come_in_order_with_the_last_axis_fastest():
    found = space({ROWS: [16, 32], CLOCK: [1e8, 2e8]})
    assert list(found.choices()) == [
        {ROWS: 16, CLOCK: 1e8},
        {ROWS: 16, CLOCK: 2e8},
        {ROWS: 32, CLOCK: 1e8},
        {ROWS: 32, CLOCK: 2e8},
    ]
    assert (found.designs, found.size, found.scenarios()) == (4, 4, ({},))


def test_scenarios_multiply_runs_and_not_designs():
    found = space({ROWS: [16, 32]}, scenarios={"workload": ["resnet9-cifar10", "vit-cifar10"], "batch": [1, 2, 3]})
    assert (found.designs, found.size, len(found.scenarios())) == (2, 12, 6)
    assert [axis.scenario for axis in found.axes] == [False, True, True]
    assert found.scenarios()[1] == {"workload": "resnet9-cifar10", "batch": 2}
    assert found.point({ROWS: 16, **found.scenarios()[1]}).options.batch == 2
    assert found.base_point(found.scenarios()[-1]).workload.graph.name == "vit-cifar10"


def test_points_that_differ_only_in_what_does_not_apply_are_one():
    held = {"values": [2, 3, 4], "when": "hardware.policy.keep_on_chip == false"}
    found = space({"hardware.buffers.tiles_held": held, "hardware.policy.keep_on_chip": [True, False], ROWS: [16, 32]})
    choices = list(found.choices())
    assert found.designs == len(choices) == 2 * (1 + 3)
    assert sum("hardware.buffers.tiles_held" not in settings for settings in choices) == 2


def test_conditions_reach_through_other_conditions_and_derived_values():
    axes = {
        "c": {"values": [1, 2], "when": "b == 2"},
        "b": {"values": [1, 2, 3], "when": "twice == 4"},
        "a": [1, 2],
    }
    uses = ["a + 0 * b >= 0", "c > 0"]
    found = space(axes, derived={"twice": "2 * a"}, constraints=uses)
    assert [tuple(settings.items()) for settings in found.choices()] == [
        (("a", 1),),
        (("b", 1), ("a", 2)),
        (("c", 1), ("b", 2), ("a", 2)),
        (("b", 3), ("a", 2)),
        (("c", 2), ("b", 2), ("a", 2)),
    ]
    assert found.designs == 5
    # From any combination on, and by chance.
    designs = list(found.choices())
    combinations = list(product(range(2), range(3), range(2)))
    stand = {tuple(indices): list(found._enumeration.beginning_at(indices)) for indices in combinations}
    assert all(some == designs[len(designs) - len(some) :] for some in stand.values())
    assert [len(stand[indices]) for indices in combinations] == [5, 4, 3, 3, 2, 2, 1, 1, 1, 1, 0, 0]
    draw = Random(0)
    drawn = Counter(str(each) for each in (found.drawn(draw) for _ in range(1200)) if each is not None)
    assert drawn.keys() == {str(each) for each in designs}
    assert max(drawn.values()) < 1.4 * min(drawn.values())


def test_a_space_of_ten_million_is_counted_at_once():
    axes = {f"v{number}": {"from": 1, "to": 10, "step": 1} for number in range(7)}
    axes[ROWS] = {"values": [16, 32], "when": "v0 > 5"}
    began = time.perf_counter()
    found = space(axes, constraints=[f"{name} > 0" for name in axes])
    assert found.designs == 10**6 * (5 + 5 * 2)
    assert next(found.choices())["v6"] == 1
    assert time.perf_counter() - began < 3


# What a design is ----------------------------------------------------------------------------------------------------


def test_a_design_has_the_values_asked_for_and_says_so():
    found = space(
        {ROWS: [16, 64], "megabytes": [1, 3], "sparsity": ["2:4"], "options.objective": ["energy"], "batch": [4]},
        derived={
            WEST: "megabytes * MiB / 2",
            "hardware.buffers.west.banks": ROWS,
            "options.interleave": "megabytes > 2",
        },
    )
    design = found.point(list(found.choices())[-1])
    hardware = design.hardware
    west = hardware.model.buffers.west
    assert (hardware.model.tensor_engine.rows, west.capacity_bytes, west.banks) == (64, 3 * 2**19, 64)
    assert (str(design.pattern), design.options.objective, design.options.batch) == ("2:4", "energy", 4)
    assert design.options.interleave is True
    assert hardware.provenance["tensor_engine.rows"] == Provenance(
        value=64, status="assumed", source=f"swept: {ROWS}, small"
    )
    derived = hardware.provenance["buffers.west.capacity_bytes"]
    assert (derived.status, derived.source) == ("derived", "derived: megabytes * MiB / 2")
    assert hardware.model.name.startswith("sat-vcu1525-")
    assert hardware.sha256 == content_hash(hardware.document.data)


def test_a_design_is_what_its_file_would_be(tmp_path):
    found = space({ROWS: [64], CLOCK: ["300 MHz"], "hardware.vector_engine.operations.add.passes": [2]})
    hardware = found.hardware(next(found.choices()))
    file = tmp_path / "design.json"
    file.write_text(json.dumps(hardware.document.data))
    assert load(file, Hardware) == hardware.model
    assert load_hardware(str(file)).sha256 == hardware.sha256


def test_a_point_that_changes_nothing_is_the_base():
    base = load_hardware("sat-vcu1525")
    found = space({ROWS: [32, 16], WEST: ["2 MiB"], "hardware.buffers.tiles_held": [2]})
    same, other = (found.hardware(settings) for settings in found.choices())
    assert (same.sha256, same.model.name) == (base.sha256, base.model.name)
    assert other.sha256 != base.sha256
    assert base.document.data["tensor_engine"]["rows"] == 32, "the base is left as it was"


def test_fields_are_laid_over_whichever_file():
    found = space({"hardware": ["sat-vcu1525", "edge-16x16"], ROWS: [16, 64]}, base={"hardware": None})
    names = [found.hardware(settings).model.name.rpartition("-")[0] for settings in found.choices()]
    assert names[1:] == ["sat-vcu1525", "edge", "edge-16x16"], "an edge-16x16 of 16 rows is itself"
    assert [found.hardware(settings).model.tensor_engine.rows for settings in found.choices()] == [16, 64, 16, 64]


def test_a_part_may_be_an_axis_and_its_fields_too():
    timing = "hardware.dram.timing"
    found = space(
        {timing: ["ddr4-2400", "ddr4-3200"], f"{timing}.trcd_clocks": [10, 20]},
        derived={
            "hardware.dram.channel_bytes_per_second": f"{timing}.clock_hz * 2 * {timing}.channel_bits / 8",
            "hardware.dram.burst_bytes": f"{timing}.burst_length * {timing}.channel_bits / 8",
        },
    )
    designs = [found.hardware(settings) for settings in found.choices()]
    timings = [design.model.dram.timing for design in designs]
    assert [(each.name, each.trcd_clocks) for each in timings] == [
        ("ddr4-2400", 10),
        ("ddr4-2400", 20),
        ("ddr4-3200", 10),
        ("ddr4-3200", 20),
    ]
    assert designs[2].model.dram.channel_bytes_per_second == 25.6e9
    assert designs[2].provenance["dram.timing.name"].source == f"swept: {timing}, small"
    assert designs[2].provenance["dram.timing.trcd_clocks"].source == f"swept: {timing}.trcd_clocks, small"


def test_parts_are_those_that_a_hardware_file_has():
    for path, kind in PARTS.items():
        base = load_hardware("sat-vcu1525-timed")
        assert getattr(getattr(base.model, path[0]), path[1]) is not None
        assert find(kind, base.model.dram.timing.name)


def test_what_follows_from_an_axis_that_does_not_apply_does_not_apply():
    found = space(
        {
            "hardware.policy.keep_on_chip": [True, False],
            "k": {"values": [1, 4], "when": "hardware.policy.keep_on_chip"},
        },
        derived={WEST: "k * MiB"},
    )
    sizes = [found.hardware(settings).model.buffers.west.capacity_bytes for settings in found.choices()]
    assert sizes == [2**20, 2**22, 2**21]


def test_fields_that_do_not_go_together_make_the_point_infeasible_and_say_where(tmp_path):
    file = tmp_path / "latency.yaml"
    file.write_text(
        "name: latency\nbase: {hardware: sat-vcu1525, workload: resnet9-cifar10, recipe: bdwp, sparsity: 2:8}\n"
        "axes:\n  hardware.tensor_engine.mac_latency: [8, 2]\n"
        "derived:\n  hardware.update_engine.lanes: hardware.tensor_engine.mac_latency / 4\n"
        "objectives: [{minimise: step_seconds}]\n"
    )
    found = load_space(file)
    fine, wrong = found.choices()
    assert found.point(fine).hardware.model.update_engine.lanes == 2
    with pytest.raises(ConfigError, match=r"latency.yaml:6: derived.*update_engine.lanes: got 0.5, need an int"):
        found.point(wrong)
    file.write_text(file.read_text().replace(" / 4", " * 4"))
    with pytest.raises(ConfigError, match=r"accumulate_latency: got 4.*need at most mac_latency"):
        load_space(file).point(wrong)


def test_paths_are_from_beside_the_sweep(tmp_path):
    shutil.copy(find("hardware", "sat-vcu1525"), tmp_path / "mine.yaml")
    file = tmp_path / "sweep.yaml"
    file.write_text(
        "name: paths\nbase: {hardware: mine.yaml, workload: resnet9-cifar10, recipe: bdwp, sparsity: 2:8}\n"
        f"axes: {{{ROWS}: [16]}}\nobjectives: [{{minimise: step_seconds}}]\n"
    )
    assert load_space(file).point({ROWS: 16}).hardware.sources[0] == tmp_path / "mine.yaml"
    file.write_text(file.read_text().replace("mine.yaml", "yours.yaml"))
    with pytest.raises(ConfigError, match=r"sweep.yaml:2: base.hardware: .*yours.yaml: got no such file"):
        load_space(file)


def test_a_worker_gets_the_space_whole():
    found = space({ROWS: [16, 32]}, constraints=[f"{ROWS} < 32"])
    parcel = pickle.dumps(found)
    assert len(parcel) < 100_000
    other = pickle.loads(parcel)
    for settings in found.choices():
        assert other.key(other.point(settings)) == found.key(found.point(settings))
        assert other.violated(settings, None) == found.violated(settings, None)


# Keys ----------------------------------------------------------------------------------------------------------------


def test_a_key_depends_on_all_that_determines_a_result_and_on_nothing_else():
    axes = {ROWS: [16, 32], "sparsity": ["2:8", "2:4"], "batch": [8, 16], "recipe": ["bdwp", "sdgp"]}
    axes |= {"workload": ["resnet9-cifar10", "vit-cifar10"], "options.optimizer": ["sgd-momentum", "adam"]}
    axes |= {"hardware.energy_table": ["16nm-fpga", "45nm"]}
    found = space(axes)
    designs = [found.point(settings) for settings in found.choices()]
    assert len({found.key(design) for design in designs}) == found.designs
    other = space(axes, constraints=["step_seconds < 1"], strategy={"name": "sobol", "points": 3}, title="another")
    assert found.key(designs[3]) == other.key(other.point(list(other.choices())[3]))
    assert found.key(designs[3], "2") != found.key(designs[3]) == found.key(designs[3], "1")


def test_the_default_batch_and_the_ratio_of_dense_are_not_told_apart():
    given = space({ROWS: [16]}, base={"batch": 512, "recipe": "dense", "sparsity": "2:4"})
    left = space({ROWS: [16]}, base={"batch": None, "recipe": "dense", "sparsity": "2:8"})
    assert given.key(given.point({ROWS: 16})) == left.key(left.point({ROWS: 16}))


# Constraints ---------------------------------------------------------------------------------------------------------


def test_constraints_are_judged_as_soon_as_they_can_be():
    found = space(
        {ROWS: [16, 32, 64]},
        constraints=[f"{ROWS} <= {COLS}", "pe_count >= 1000", "step_seconds < 1 and pe_count < 2000"],
    )
    narrow, square, tall = ({ROWS: rows} for rows in (16, 32, 64))
    assert found.violated(square, None) == ""
    assert found.violated(tall, None) == (
        "sweep: constraints.0: got hardware.tensor_engine.rows 64, hardware.tensor_engine.cols 32, "
        "need hardware.tensor_engine.rows <= hardware.tensor_engine.cols"
    )
    assert "constraints.1: got pe_count 512, need pe_count >= 1000" in found.violated(narrow, None)
    figures = {"pe_count": 1024, "step_seconds": 2.5}
    assert found.violated(square, figures).endswith("got step_seconds 2.5, pe_count 1024, need step_seconds < 1 and "
                                                    "pe_count < 2000")  # fmt: skip
    assert found.violated(square, figures | {"step_seconds": 0.5}) == ""
    assert ruled_out(found) == RuledOut(designs=2, of=found.designs, sampled=False)


def test_figures_known_before_evaluation_are_those_of_the_hardware():
    assert tuple(hardware_figures(load_hardware("sat-vcu1525").model)) == KNOWN_BEFORE
    assert set(KNOWN_BEFORE) <= set(FIGURES)


def test_a_constraint_on_an_axis_that_does_not_apply_is_met():
    found = space(
        {"recipe": ["dense", "bdwp"], "k": {"values": [1, 2], "when": "recipe != 'dense'"}}, constraints=["k > 1"]
    )
    assert [bool(found.violated(settings, None)) for settings in found.choices()] == [False, True, False]
