"""k split over groups of columns: what it computes and costs, who gets it."""

from dataclasses import replace

import numpy as np
import pytest
from bisparse.accel.energy import EnergyModel
from bisparse.accel.specification import Hardware, load_hardware
from bisparse.configs.errors import MappingError
from bisparse.configs.pattern import DENSE, Pattern
from bisparse.dataflow.design_table import DesignTable
from bisparse.dataflow.forms import best_form, check_form, forms_of, search_forms
from bisparse.dataflow.gemm import PLAIN, Form, Gemm
from bisparse.dataflow.mapping import LOOP_ORDERS, Mapping
from bisparse.dataflow.objective import Objective, slowest_alike
from bisparse.dataflow.product_cost import product_cost
from bisparse.dataflow.scheduler import Mapper
from bisparse.dataflow.search import best_mapping
from bisparse.dataflow.shares import split_forms, tile_on_array
from bisparse.dataflow.tile_grid import TileGrid
from bisparse.reports.run.mapping_picture import MappingWords
from bisparse.sim import schedule_file
from bisparse.sim.product.single_product import array_figures, fewest_cycles, plain_product
from bisparse.sim.schedule_file import Decision
from bisparse.sim.witness import array_agreement
from bisparse.sim.witness.array_agreement import check_split
from bisparse.sim.witness.machines.random_splits import random_split
from bisparse.sim.witness.traffic_agreement import check_tiling, random_tiling
from bisparse.training.graph import Stage

from .small_problems import small_problem
from .test_search_is_honest import assert_honest
from .test_search_many import any_gemm
from .wild_designs import Draw, wild_kind, wild_numbers, wild_prices

WIDE = load_hardware("datacenter-128x128").model


def with_segments(hardware, columns, **others):
    """A design whose segments of so many columns can take a share of k."""
    engine = hardware.tensor_engine.model_copy(update={"split_columns": columns, **others})
    return hardware.model_copy(update={"tensor_engine": engine})


def plain(m, n, k, **others):
    return Gemm(name="g", operator="g", stage=Stage.FORWARD, m=m, n=n, k=k, **others)


# The array -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", range(0, 100, 20))
def test_a_machine_takes_the_cycles_of_the_closed_form_and_finds_the_product(first):
    for seed in range(first, first + 20):
        assert check_split(random_split(seed)) is None


@pytest.mark.parametrize("term", ["array_for", "tile_on_array"])
def test_a_closed_form_without_a_term_of_the_split_is_found_out(term, monkeypatch):
    def without(gemm, *array, **extents):
        return array[0] if array else tile_on_array(replace(gemm, split=1), **extents)

    monkeypatch.setattr(array_agreement, term, without)
    assert any(check_split(random_split(seed)) for seed in range(4))


def test_a_machine_takes_as_long_whatever_columns_lie_between_groups():
    """Skew hides the way from one group to the next; only adders take time."""
    case = random_split(2)
    near, far = case.run(), replace(case, case=with_columns(case.case, 2)).run()
    assert far.cycles - near.cycles == case.case.machine.cols
    assert np.array_equal(near.product, far.product)


def with_columns(case, times):
    return replace(case, machine=replace(case.machine, cols=times * case.machine.cols))


def test_narrow_products_take_the_cycles_worked_by_hand():
    """4 x 2 outputs of k = 64 on 4 x 8 PEs: 4 shares of 16, 3 additions of 2 cycles behind them."""
    engine = {"rows": 4, "cols": 8, "register_depth": 1, "accumulate_latency": 2, "mac_latency": 3, "drain": "wire"}
    small = with_segments(WIDE, 2, **engine, dataflows=("os",), swap_operands=False)
    gemm = plain(4, 2, 64)
    choices = [best_mapping(gemm.formed(form), small) for form in (PLAIN, Form(split=4))]
    costs = [product_cost(gemm.formed(each.mapping.form), small, each.mapping) for each in choices]
    whole, split = (sum(cost.causes[name] for name in ("busy", "bubble", "fill_drain")) for cost in costs)
    assert whole == 63 * 2 + 1 + 3 + 7 + 2
    assert split == 15 * 2 + 1 + 3 + 7 + 2 + 3 * 2
    assert costs[1].actions["multiplies"] == costs[0].actions["multiplies"] == 4 * 2 * 64
    assert costs[1].actions["accumulates"] - costs[0].actions["accumulates"] == 4 * 2 * 3
    # Three additions and the way past all eight columns; west and north as before, a wire a PE.
    assert costs[1].actions["link_bits"] - costs[0].actions["link_bits"] == 8 * 32 * 8
    assert costs[1].port_bytes == costs[0].port_bytes
    assert costs[1].read_bytes == costs[0].read_bytes


# The space -----------------------------------------------------------------------------------------------------------


def test_nothing_is_split_where_the_design_does_not_say_so():
    assert forms_of(plain(4096, 10, 512), WIDE) == (PLAIN,)


def test_splits_fill_columns_in_whole_segments():
    gemm, wide = plain(4096, 24, 512), with_segments(WIDE, 16)
    assert [form.split for form in split_forms(gemm, PLAIN, wide.tensor_engine)] == [2, 4]
    shallow = plain(4096, 4, 3)
    assert [form.split for form in split_forms(shallow, PLAIN, wide.tensor_engine)] == [2, 3]
    assert list(split_forms(plain(4096, 65, 512), PLAIN, wide.tensor_engine)) == []


def test_outputs_lie_along_the_columns_of_every_mapping_that_splits():
    """Few rows of C lie there under IS, and under OS with the operands' roles exchanged."""
    wide = with_segments(WIDE, 16, swap_operands=True)
    for form in split_forms(plain(8, 8, 512), PLAIN, wide.tensor_engine):
        choice = best_mapping(plain(8, 8, 512).formed(form), wide)
        assert choice.mapping.array.west == {"n": "a", "m": "b"}[form.beside]
    only = with_segments(WIDE, 16, dataflows=("ws",))
    assert {form.beside for form in split_forms(plain(8, 8, 512), PLAIN, only.tensor_engine)} == {"n"}


@pytest.mark.parametrize("seed", range(24))
def test_the_search_finds_the_fastest_of_every_mapping_of_a_split(seed):
    """Against brute force in plain integers, on arrays with columns to spare."""
    gemm, hardware = small_problem(seed)
    gemm = replace(gemm, n=1 + seed % 3)
    wide = with_segments(hardware, 1 + seed % 2, cols=6 + seed % 5)
    forms = list(split_forms(gemm, PLAIN, wide.tensor_engine))
    if not forms:
        pytest.skip("nothing to split")
    assert_honest(gemm.formed(forms[seed % len(forms)]), wide, "energy" if seed % 4 == 0 else "time")


@pytest.mark.parametrize("seed", range(12))
def test_a_design_that_may_split_is_never_slower(seed):
    draw = Draw(seed)
    gemm, hardware = any_gemm(draw), wild_numbers(draw, wild_kind(draw)).model
    try:
        before = best_form(gemm, hardware)
    except MappingError:
        pytest.skip("the design maps nothing")
    after = best_form(gemm, with_segments(hardware, draw.one(1, 2, 4)))
    assert after.cycles <= slowest_alike(before.cycles)


@pytest.mark.parametrize("seed", range(6))
def test_each_design_gets_the_split_that_it_gets_alone(seed):
    draw = Draw(1000 + seed)
    gemm = replace(any_gemm(draw), n=draw.one(1, 3, 4))
    kind = wild_kind(draw)
    kind = replace(kind, model=with_segments(kind.model, draw.one(2, 4)))
    prices = [wild_prices(draw) for _ in range(6)]
    table = DesignTable(designs=[wild_numbers(draw, kind).model for _ in range(6)], energy=EnergyModel.beside(prices))
    found = search_forms(gemm, table, np.arange(6))
    for row, hardware in enumerate(table.designs):
        try:
            alone = best_form(gemm, hardware, objective=Objective(name="time", energy=prices[row])).mapping
        except MappingError:
            assert not found.feasible[row] or not hardware.tensor_engine.supports(gemm.pattern)
            continue
        form = found.forms[found.which[row]]
        m, n, k = (int(axis.size[row, 0]) for axis in form.axes)
        order, array = LOOP_ORDERS[form.orders[row]], form.array_mapping(row)
        assert alone == Mapping(array=array, tile_m=m, tile_n=n, tile_k=k, order=order, form=form.gemm.form)


def test_few_outputs_are_split_and_the_mapping_says_so():
    gemm, wide = plain(4096, 10, 512), with_segments(WIDE, 16)
    before, after = best_form(gemm, WIDE), best_form(gemm, wide)
    assert after.cycles < 0.6 * before.cycles
    assert str(after.mapping).endswith("k split over 8 groups of columns")


def test_pruned_products_are_split_in_whole_groups():
    gemm, wide = plain(4096, 10, 512, b=Pattern(2, 8)), with_segments(WIDE, 16)
    after = best_form(gemm, wide)
    assert after.mapping.form.split > 1
    assert after.cycles < best_form(gemm, WIDE).cycles


def test_the_array_alone_splits_too():
    """So that a product is never slower on the array alone than with memory in its way."""
    wide = with_segments(WIDE, 16)
    alone = array_figures(wide.tensor_engine, plain_product(4096, 10, 512))
    assert alone.mapping.endswith("k split over 8 groups of columns")
    assert alone.cycles <= best_form(plain_product(4096, 10, 512), wide).cycles
    assert alone.cycles < array_figures(WIDE.tensor_engine, plain_product(4096, 10, 512)).cycles / 3
    listed, _ = fewest_cycles(wide.tensor_engine, DENSE, np.array([[4096, 64], [10, 64], [512, 64]]))
    assert listed.tolist() == [alone.cycles, array_figures(wide.tensor_engine, plain_product(64, 64, 64)).cycles]


# Saved, drawn --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(4096, 10, 512), (10, 4096, 512)])
def test_a_decision_brings_its_split(sizes):
    gemm, wide = plain(*sizes), with_segments(WIDE, 16)
    planned = Mapper(hardware=wide).plan(gemm)
    assert planned.gemm.split > 1
    saved = Decision.model_validate(schedule_file._decision(planned)).mapping
    assert saved == planned.mapping
    assert Mapper(hardware=wide, decisions={gemm.name: saved}).plan(gemm).gemm == planned.gemm
    with pytest.raises(MappingError, match="split_columns"):
        Mapper(hardware=WIDE, decisions={gemm.name: saved}).plan(gemm)


def test_a_mapping_that_splits_is_drawn():
    words = MappingWords.read(str(best_form(plain(4096, 10, 512), with_segments(WIDE, 16)).mapping))
    assert words is not None
    assert words.shares == 8


@pytest.mark.parametrize("seed", range(30))
def test_traffic_is_that_of_the_tiles_walked(seed):
    """An axis of outputs that stand beside each other is not cut; nothing else in memory knows of the split."""
    case = random_tiling(seed)
    beside = "mn"[seed % 2]
    gemm = replace(case.gemm, split=2, beside=beside)
    grid = TileGrid.ladder(gemm, case.hardware)
    assert set(grid.m.size[:, 0] if beside == "m" else grid.n.size[:, 0]) == {gemm.m if beside == "m" else gemm.n}
    sizes = {f"tile_{axis}": int(getattr(grid, f"size_{axis}")[-1, 0]) for axis in "mnk"}
    assert check_tiling(replace(case, gemm=gemm, candidate=len(grid) - 1, **sizes)) is None


# Refused -------------------------------------------------------------------------------------------------------------


def test_a_split_that_a_design_does_not_have_is_refused():
    gemm = plain(4096, 24, 512)
    with pytest.raises(MappingError, match=r"at most 1 on datacenter-128x128: see its tensor_engine\.split_columns"):
        check_form(Form(split=2), gemm, WIDE)
    with pytest.raises(MappingError, match="at most 4"):
        check_form(Form(split=5), gemm, with_segments(WIDE, 16))
    check_form(Form(split=4), gemm, with_segments(WIDE, 16))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"split_columns": 65}, "need at most 64"),
        ({"split_columns": 8, "tile_overlap": True}, "need one of them alone"),
    ],
)
def test_a_design_that_cannot_split_is_refused(fields, message):
    engine = WIDE.tensor_engine.model_dump() | fields
    with pytest.raises(ValueError, match=message):
        Hardware.model_validate({**WIDE.model_dump(), "tensor_engine": engine})
