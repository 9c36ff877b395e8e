"""A dataflow that the package does not know: registered by a program, it is searched, simulated and played as any."""

import json
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import ConfigError
from bisparse.configs.pattern import Pattern
from bisparse.dataflow import dataflows
from bisparse.dataflow.dataflows import dataflow_named, dataflow_names, register_dataflow
from bisparse.dataflow.dataflows.dataflow import transposed
from bisparse.sim.product.single_product import array_figures, parse_dataflow, plain_product, simulate_product
from bisparse.sim.schedule_file import load_schedule, save_schedule
from bisparse.sim.simulation import Options, Simulator
from bisparse.training.recipes.declaration import load_recipe

import bisparse
from bisparse.api import load_workload
from bisparse.testing.dataflow_contract import DataflowContract

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_dataflow"
DESIGN = str(EXAMPLE / "broadcast-32x32.yaml")
SMALL = {"recipe": "bdwp", "sparsity": "2:8", "batch": 16}

sys.path.insert(0, str(EXAMPLE))
try:
    from broadcast import BROADCAST, BroadcastOutputStationary
    from broadcast_machine import play
finally:
    sys.path.remove(str(EXAMPLE))


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """Known here, and to no other test of this process."""
    monkeypatch.setattr(dataflows, "_known", dict(dataflows._known))
    register_dataflow(BROADCAST)


class TestBroadcast(DataflowContract):
    dataflow = BROADCAST

    def play(self, array, numbers, a, b, sparsity):
        return play(array, numbers, a, b, sparsity)


# A contract that nothing can break is none ---------------------------------------------------------------------------


class OneCycleLess(BroadcastOutputStationary):
    def cycles(self, array, tile, numbers):
        return super().cycles(array, tile, numbers) - 1


class SendsOnceAtMost(BroadcastOutputStationary):
    def sends(self, array, tile, numbers):
        return dataflows.dataflow.Sends(west=1, north=1, sums=1)


class FloorTooHigh(BroadcastOutputStationary):
    def floor(self, sums):
        return super().floor(sums) + sums.tiles * 40


class RepeatsNothingSmaller(BroadcastOutputStationary):
    def repeats(self, array, tile, numbers):
        return numbers["turns"] > 1


class LegalForIntegersOnly(BroadcastOutputStationary):
    def legal(self, array, sparsity, numbers, *, interleave):
        one = isinstance(array.rows, int)
        return super().legal(array, sparsity, numbers, interleave=interleave) & (one or numbers["turns"] < 3)


class IssuesTooLittle(BroadcastOutputStationary):
    def issue_and_bubble_cycles(self, array, tile, numbers):
        issue, bubble = super().issue_and_bubble_cycles(array, tile, numbers)
        return issue // 2, bubble


@pytest.mark.parametrize(
    ("wrong", "test"),
    [
        (OneCycleLess, "test_cycles_and_products_are_those_of_the_machine"),
        (SendsOnceAtMost, "test_what_passes_the_ports_is_observed"),
        (FloorTooHigh, "test_floors_are_never_above_the_exact"),
        (RepeatsNothingSmaller, "test_a_mapping_that_repeats_stands_already_with_smaller_numbers"),
        (RepeatsNothingSmaller, "test_the_search_finds_the_best_of_all"),
        (LegalForIntegersOnly, "test_legality_is_the_same_for_one_design_and_for_many"),
        (IssuesTooLittle, "test_no_more_is_issued_than_processing_elements_can"),
    ],
)
def test_the_contract_finds_a_wrong_dataflow_out(wrong, test):
    found = wrong()
    dataflows._known["bos"] = found
    suite = type("Suite", (TestBroadcast,), {"dataflow": found})()
    with pytest.raises(AssertionError):
        getattr(suite, test)()


# Wherever a dataflow is used -----------------------------------------------------------------------------------------


def test_a_step_is_simulated_and_played_with_it():
    analytic = bisparse.simulate("resnet9-cifar10", hardware=DESIGN, **SMALL)
    assert any("BOS" in row.mapping for row in analytic.rows)
    without = bisparse.simulate("resnet9-cifar10", hardware="sat-vcu1525", **SMALL)
    assert analytic.total_cycles < without.total_cycles
    event = bisparse.simulate("resnet9-cifar10", hardware=DESIGN, engine="event", **SMALL)
    assert event.total_cycles == pytest.approx(analytic.total_cycles, rel=0.05)
    only = Options(batch=16, dataflows=("bos",))
    assert only.dataflows == ("bos",)


def test_one_product_is_timed_with_it():
    result = simulate_product(plain_product(64, 64, 64, Pattern(2, 8)), load_hardware(DESIGN), parse_dataflow("bos"))
    assert result.array.dataflow == result.mapped.dataflow == "bos"
    assert result.array.mapping.startswith("BOS, turns ")
    # 32x32 outputs, one fold, one accumulation a PE: each waits for the one before it (L = 4), then P and drain.
    alone = array_figures(load_hardware(DESIGN).model.tensor_engine, plain_product(32, 32, 100), "bos")
    assert alone.cycles == (99 * 4 + 1) + 7 + 32


def test_a_schedule_with_it_is_saved_and_replayed(tmp_path):
    simulator = Simulator(
        workload=load_workload("resnet9-cifar10"),
        hardware=load_hardware(DESIGN),
        options=Options(batch=16),
        version="test",
    )
    recipe, path = load_recipe("bdwp").model, tmp_path / "schedule.json"
    schedule = simulator.schedule(recipe, Pattern(2, 8))
    save_schedule(schedule, path)
    own = [product for product in json.loads(path.read_text())["products"] if product["dataflow"] == "bos"]
    assert own
    assert all(set(product["own"]) == {"turns"} for product in own)
    read = load_schedule(path)
    replayed = simulator.schedule(recipe, Pattern(2, 8), decisions=read.decisions)
    read.check_products(replayed)
    assert [each.mapping for each in replayed.products] == [each.mapping for each in schedule.products]


def test_a_sweep_chooses_it():
    pytest.importorskip("simpleeval")
    table = bisparse.explore(
        {
            "name": "own",
            "base": {"hardware": "sat-vcu1525", "workload": "resnet9-cifar10", **SMALL},
            "axes": {"hardware.tensor_engine.dataflows": ["os", "bos", ["os", "bos"]]},
            "objectives": [{"minimise": "step_seconds"}],
        },
        jobs=1,
    )
    by_name = table.set_index("hardware.tensor_engine.dataflows")
    assert by_name["feasible"].all()
    both = bisparse.simulate("resnet9-cifar10", hardware=DESIGN, dataflows=("os", "bos"), **SMALL)
    assert by_name.loc["os, bos", "total_cycles"] <= by_name.loc[["os", "bos"], "total_cycles"].min()
    assert both.total_cycles <= by_name.loc["os", "total_cycles"]


# Names ---------------------------------------------------------------------------------------------------------------


def test_a_name_that_nobody_knows_is_refused_where_it_stands(tmp_path):
    (tmp_path / "mine.yaml").write_text("name: mine\nextends: sat-vcu1525\ntensor_engine:\n  dataflows: [os, rs]\n")
    with pytest.raises(ConfigError) as refused:
        load_hardware(str(tmp_path / "mine.yaml"))
    assert str(refused.value) == (
        f"{tmp_path}/mine.yaml:4: tensor_engine.dataflows.1: got 'rs', need one of os, ws, is, bos"
    )


def test_a_name_is_given_once_and_is_one_word():
    register_dataflow(BROADCAST)
    for name, message in (
        ("os", "got the name os, which output stationary has, need another"),
        ("Row Stationary", "got the name 'Row Stationary', need a word in small letters other than best"),
        ("best", "got the name 'best', need a word"),
    ):
        with pytest.raises(ConfigError, match=message):
            register_dataflow(transposed(BROADCAST, name=name, title="other"))


def test_an_installed_package_offers_one_by_an_entry_point(monkeypatch):
    package = SimpleNamespace(FOUND=transposed(BROADCAST, name="isb", title="transposed"), WRONG=BROADCAST)
    monkeypatch.setitem(sys.modules, "own_package", package)
    offered = [
        EntryPoint(name=name, value=value, group=dataflows.ENTRY_POINTS)
        for name, value in (("isb", "own_package:FOUND"), ("wrong", "own_package:WRONG"), ("gone", "no_package:X"))
    ]
    monkeypatch.setattr(dataflows, "entry_points", lambda group: offered)
    assert dataflow_named("isb") is package.FOUND
    assert dataflow_names() == ("os", "ws", "is", "bos", "isb", "wrong", "gone")
    with pytest.raises(ConfigError, match=r"wrong: the dataflow of own_package:WRONG: got .*, need a Dataflow of"):
        dataflow_named("wrong")
    with pytest.raises(ConfigError, match=r"gone: the dataflow of no_package:X: got ModuleNotFoundError"):
        dataflow_named("gone")
