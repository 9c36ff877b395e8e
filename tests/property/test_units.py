"""Several arrays that share every product: what it computes and costs, who gets it."""

from dataclasses import replace

import numpy as np
import pytest
from bisparse.accel.energy import EnergyModel
from bisparse.accel.specification import Hardware, load_hardware
from bisparse.configs.errors import ConfigError, MappingError
from bisparse.configs.pattern import DENSE
from bisparse.dataflow.design_table import DesignTable
from bisparse.dataflow.formats.skipped import met_by
from bisparse.dataflow.forms import best_form, check_form, forms_of, search_forms
from bisparse.dataflow.gemm import PLAIN, Form, Gemm
from bisparse.dataflow.mapping import LOOP_ORDERS, Mapping
from bisparse.dataflow.objective import Objective, slowest_alike
from bisparse.dataflow.product_cost import product_cost
from bisparse.dataflow.scheduler import Mapper
from bisparse.dataflow.search import best_mapping
from bisparse.dataflow.search_compiled import compiled_choice
from bisparse.dataflow.shares import tile_on_array
from bisparse.reports.run.mapping_picture import MappingWords
from bisparse.sim import schedule_file
from bisparse.sim.product.single_product import array_figures, fewest_cycles, plain_product
from bisparse.sim.schedule_file import Decision
from bisparse.sim.witness import array_agreement
from bisparse.sim.witness.array_agreement import check_units
from bisparse.sim.witness.event_agreement import check_schedule
from bisparse.sim.witness.machines.random_units import random_units
from bisparse.training.graph import Stage

from .small_problems import small_problem
from .test_search_is_honest import assert_honest
from .test_search_many import any_gemm
from .wild_designs import Draw, wild_kind, wild_numbers, wild_prices

WIDE = load_hardware("datacenter-128x128").model


def with_units(hardware, units=2, **others):
    """A design of so many of its arrays."""
    engine = hardware.tensor_engine.model_copy(update={"units": units, **others})
    return hardware.model_copy(update={"tensor_engine": engine})


def plain(m, n, k, **others):
    return Gemm(name="g", operator="g", stage=Stage.FORWARD, m=m, n=n, k=k, **others)


def drawn(seed):
    """A product, a design of one array, or of several where kernel positions may lie apart."""
    draw = Draw(seed)
    gemm, hardware = any_gemm(draw), wild_numbers(draw, wild_kind(draw)).model
    if not hardware.tensor_engine.exploits.skips_none or not hardware.tensor_engine.supports(gemm.pattern):
        pytest.skip("no such arrays")
    several = with_units(hardware, draw.one(2, 3), taps_apart=draw.chance(0.5), spread_groups=False)
    return met_by(gemm, several), hardware, several, wild_prices(draw)


# The arrays ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_machines_take_the_cycles_of_the_closed_form_and_find_the_product(first):
    for seed in range(first, first + 20):
        assert check_units(random_units(seed)) is None


@pytest.mark.parametrize("missing", [{"units": 1}, {"tap_rows": 1}])
def test_a_closed_form_without_a_term_of_the_sharing_is_found_out(missing, monkeypatch):
    monkeypatch.setattr(
        array_agreement, "tile_on_array", lambda gemm, **extents: tile_on_array(replace(gemm, **missing), **extents)
    )
    assert any(check_units(random_units(seed)) for seed in range(8))


def test_a_product_takes_the_cycles_worked_by_hand():
    """8 rows of A past 4 x 4 weights on two arrays of 4 x 4: 4 rows each, behind 4 cycles of loading."""
    engine = {
        "rows": 4,
        "cols": 4,
        "register_depth": 1,
        "accumulate_latency": 1,
        "mac_latency": 1,
        "dataflows": ("ws",),
    }
    one = with_units(WIDE, 1, **engine, stationary_load="latch")
    two = with_units(one, 2)
    gemm = plain(8, 4, 4)
    costs = []
    for hardware, along in ((one, "m"), (two, "m"), (two, "n")):
        formed = met_by(gemm, hardware).formed(Form(along=along))
        costs.append(product_cost(formed, hardware, best_mapping(formed, hardware).mapping))
    alone, by_rows, by_columns = costs
    cycles = [sum(cost.causes.get(name, 0) for name in ("busy", "bubble", "fill_drain")) for cost in costs]
    assert cycles == [4 + 8 + 3 + 3, 4 + 4 + 3 + 3, 4 + 8 + 3 + 3]
    assert by_rows.actions["multiplies"] == by_columns.actions["multiplies"] == alone.actions["multiplies"] == 8 * 4 * 4
    # Along m all weights go to both arrays, half a column on average; along n all of A goes to both, past 4 columns.
    value = 2 * 8
    assert by_rows.actions["link_bits"] - alone.actions["link_bits"] == 4 * 4 * value * 4 // 2
    assert by_columns.actions["link_bits"] - alone.actions["link_bits"] == 8 * 4 * value * 4
    assert alone.port_bytes == by_rows.port_bytes == by_columns.port_bytes


def test_kernel_positions_apart_leave_rows_idle():
    """9 positions of 64 channels on 128 rows: 9 folds in place of 5, and no other one under OS."""
    gemm = plain(4096, 128, 576, taps=9)
    together = with_units(WIDE, 1, dataflows=("ws",), register_depth=1)
    apart = with_units(together, 1, taps_apart=True)
    tiles = [tile_on_array(met_by(gemm, each), m=4096, n=128, slots=576, groups=576) for each in (together, apart)]
    assert [tile.groups for tile in tiles] == [576, 9 * 128]
    before, after = (busy(gemm, each) for each in (together, apart))
    assert after * 5 == before * 9
    assert (
        best_form(gemm, with_units(apart, 1, dataflows=("os",))).cycles
        == best_form(gemm, with_units(together, 1, dataflows=("os",))).cycles
    )


def busy(gemm, hardware):
    """Cycles in which PEs issue, of the fastest mapping."""
    choice = best_form(gemm, hardware)
    formed = met_by(gemm, hardware).formed(choice.mapping.form)
    return product_cost(formed, hardware, choice.mapping).causes["busy"]


# Laws ----------------------------------------------------------------------------------------------------------------


def test_one_array_shares_nothing():
    gemm = plain(64, 64, 64, taps=1)
    assert met_by(gemm, WIDE) is gemm
    assert forms_of(gemm, WIDE) == (PLAIN,)
    assert tile_on_array(gemm, m=64, n=64, slots=64, groups=64).m == 64


@pytest.mark.parametrize("seed", range(12))
def test_more_arrays_are_never_slower_and_move_nothing_more(seed):
    """Under each mapping that one array has."""
    gemm, hardware, several, _ = drawn(seed)
    several = with_units(hardware, several.tensor_engine.units)
    gemm = met_by(replace(gemm, units=1, tap_rows=1), hardware)
    try:
        mapping = best_form(gemm, hardware).mapping
    except MappingError:
        pytest.skip("the design maps nothing")
    alone = product_cost(gemm.formed(mapping.form), hardware, mapping)
    for along in ("m", "n"):
        form = replace(mapping.form, along=along)
        shared = product_cost(met_by(gemm, several).formed(form), several, replace(mapping, form=form))
        assert shared.cycles <= alone.cycles
        assert (shared.read_bytes, shared.write_bytes) == (alone.read_bytes, alone.write_bytes)
        assert shared.actions["multiplies"] == alone.actions["multiplies"]
    assert best_form(gemm, several).cycles <= slowest_alike(best_form(gemm, hardware).cycles)


@pytest.mark.parametrize("seed", range(12))
def test_the_search_finds_the_fastest_of_every_mapping(seed):
    """Against brute force in plain integers."""
    gemm, hardware = small_problem(seed)
    several = with_units(hardware, 2 + seed % 2, taps_apart=seed % 3 == 0)
    formed = met_by(gemm, several).formed(Form(along="mn"[seed % 2]))
    assert_honest(formed, several, "energy" if seed % 4 == 0 else "time")


@pytest.mark.parametrize("seed", range(20, 32))
def test_the_compiled_search_finds_what_numpy_finds(seed):
    pytest.importorskip("numba")
    gemm, _, several, prices = drawn(seed)
    time = Objective(name="time", energy=prices)
    for along in ("m", "n"):
        formed = gemm.formed(Form(along=along))
        found = compiled_choice(formed, several, objective=time)
        if found is None:
            with pytest.raises(MappingError):
                best_mapping(formed, several, objective=time)
        else:
            assert found == replace(best_mapping(formed, several, objective=time), timed_exactly=found.timed_exactly)


@pytest.mark.parametrize("seed", range(4))
def test_each_design_gets_the_sharing_that_it_gets_alone(seed):
    draw = Draw(2000 + seed)
    gemm, kind = any_gemm(draw), wild_kind(draw)
    kind = replace(kind, model=with_units(kind.model, 2))
    prices = [wild_prices(draw) for _ in range(4)]
    table = DesignTable(designs=[wild_numbers(draw, kind).model for _ in range(4)], energy=EnergyModel.beside(prices))
    assert table.peak_macs_per_cycle.tolist() == [each.peak_macs_per_cycle for each in table.designs]
    found = search_forms(gemm, table, np.arange(4))
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


@pytest.mark.parametrize("seed", range(8))
def test_both_engines_play_the_same_cycles(seed):
    assert check_schedule(seed, several=True) is None


# Who gets it ---------------------------------------------------------------------------------------------------------


def test_narrow_products_share_columns_alone_where_the_design_says_so():
    gemm, wide = plain(4096, 64, 512), with_units(WIDE, 2, share_from=128)
    assert {form.along for form in forms_of(met_by(gemm, wide), wide)} == {"n"}
    assert {form.along for form in forms_of(met_by(plain(4096, 128, 512), wide), wide)} == {"m", "n"}
    assert best_form(gemm, wide).cycles > 1.5 * best_form(gemm, with_units(WIDE, 2)).cycles


def test_the_array_alone_is_shared_too():
    two = with_units(WIDE)
    alone = array_figures(two.tensor_engine, plain_product(4096, 64, 512))
    assert alone.cycles <= best_form(plain_product(4096, 64, 512), two).cycles
    assert 0.5 < alone.cycles / array_figures(WIDE.tensor_engine, plain_product(4096, 64, 512)).cycles < 0.6
    listed, _ = fewest_cycles(two.tensor_engine, DENSE, np.array([[4096, 64], [64, 64], [512, 64]]))
    assert listed.tolist() == [alone.cycles, array_figures(two.tensor_engine, plain_product(64, 64, 64)).cycles]
    assert alone.utilisation == 4096 * 64 * 512 / (2 * 128 * 128 * alone.cycles)


def test_a_decision_brings_its_axis():
    gemm, two = plain(1, 4096, 512), with_units(WIDE, dataflows=("ws",))
    planned = Mapper(hardware=two).plan(gemm)
    assert (planned.gemm.units, planned.gemm.along) == (2, "n")
    saved = Decision.model_validate(schedule_file._decision(planned)).mapping
    assert saved == planned.mapping
    assert Mapper(hardware=two, decisions={gemm.name: saved}).plan(gemm).gemm == planned.gemm
    with pytest.raises(MappingError, match=r"tensor_engine\.units"):
        Mapper(hardware=WIDE, decisions={gemm.name: saved}).plan(gemm)
    words = MappingWords.read(str(saved))
    assert words is not None
    assert words.form == "arrays side by side along n"


def test_static_power_is_that_of_all_arrays():
    two = with_units(WIDE)
    assert two.peak_macs_per_cycle == 2 * WIDE.peak_macs_per_cycle


# Refused -------------------------------------------------------------------------------------------------------------


def test_a_form_that_a_design_does_not_have_is_refused():
    with pytest.raises(MappingError, match=r"tensor_engine\.units and share_from of datacenter-128x128"):
        check_form(Form(along="n"), plain(64, 64, 64), WIDE)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"units": 2, "split_columns": 16}, "need 1 beside split_columns"),
        ({"units": 2, "exploits": {"intersection": {"group": 8, "queue": 1}}}, "need 1 beside exploits"),
        ({"share_from": 64}, "need 1 where there is one unit"),
        ({"taps_apart": True, "spread_groups": True}, "need false beside spread_groups"),
        ({"taps_apart": True, "split_columns": 16}, "need false beside split_columns"),
    ],
)
def test_what_does_not_go_together_is_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        load_hardware({"extends": "datacenter-128x128", "tensor_engine": fields})


def test_efficiency_is_not_said_twice():
    with pytest.raises(ConfigError, match=r"efficiency: got 0\.9, need 1: timing"):
        load_hardware({"extends": "sat-vcu1525-timed", "dram": {"efficiency": 0.9}})
    slow = load_hardware({"extends": "sat-vcu1525", "dram": {"efficiency": 0.5}}).model
    assert isinstance(slow, Hardware)
    assert slow.dram_bytes_per_cycle == load_hardware("sat-vcu1525").model.dram_bytes_per_cycle / 2
