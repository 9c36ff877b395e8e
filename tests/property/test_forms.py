"""Forms of a product, packed block-diagonally or multiplied densely: what they compute and cost, who gets it."""

from dataclasses import replace

import numpy as np
import pytest
from bisparse.accel.energy import EnergyModel
from bisparse.accel.specification import load_hardware
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
from bisparse.dataflow.window import SpatialAxis, Window
from bisparse.sim.witness.machines.machine import run
from bisparse.sim.witness.machines.random_cases import random_case
from bisparse.training.graph import Stage

from .wild_designs import Draw, wild_kind, wild_numbers, wild_prices

SAT = load_hardware("sat-vcu1525").model


def depthwise(channels, positions=28, images=4, stage=Stage.FORWARD, group=1):
    """A 3 x 3 convolution in groups of so many channels, padded, and its weight gradient."""
    spots, patch = images * positions**2, 9 * group
    of_weights = stage is Stage.WEIGHT_GRADIENT
    axis = SpatialAxis(positions=positions, inputs=positions, stride=1, reach=3)
    return Gemm(
        name="depthwise",
        operator="depthwise",
        stage=stage,
        m=patch if of_weights else spots,
        n=group,
        k=spots if of_weights else patch,
        count=channels // group,
        packable=True,
        taps=9,
        tap_axis="m" if of_weights else "k",
        window=Window(images=images, axes=(axis, axis)),
        result="sum" if of_weights else "value",
    )


def with_array(rows, cols, base=SAT):
    engine = base.tensor_engine.model_copy(update={"rows": rows, "cols": cols})
    return base.model_copy(update={"tensor_engine": engine})


# What packs compute --------------------------------------------------------------------------------------------------


def block_diagonal(blocks):
    """Blocks [rows, columns] on the diagonal of zeros."""
    rows, columns = blocks[0].shape
    found = np.zeros((len(blocks) * rows, len(blocks) * columns))
    for at, block in enumerate(blocks):
        found[at * rows : (at + 1) * rows, at * columns : (at + 1) * columns] = block
    return found


@pytest.mark.parametrize("seed", range(40))
def test_a_machine_finds_every_repetition_in_a_pack(seed):
    """On the register-level machine, whatever its dataflow: groups side by side in A, on the diagonal in B."""
    case = replace(random_case(seed), taps=1)
    places = 2 + seed % 3
    parts = [replace(case, seed=1000 * seed + place).operands() for place in range(places)]
    a, b = np.hstack([a for a, _ in parts]), block_diagonal([b for _, b in parts])
    if case.compressed and case.channels % case.pattern.group:
        case, a, b = replace(case, compressed=None, pattern=DENSE), a, b
    outcome = run(roomy(case), case.mapping, a, b, pattern=case.pattern, compressed=case.compressed)
    for place, (own_a, own_b) in enumerate(parts):
        found = outcome.product[:, place * case.n : (place + 1) * case.n]
        assert np.array_equal(found, own_a @ own_b)


@pytest.mark.parametrize("seed", range(40))
def test_a_machine_finds_every_weight_gradient_on_the_diagonal(seed):
    case = replace(random_case(seed), taps=1, compressed=None, pattern=DENSE)
    places = 2 + seed % 3
    parts = [replace(case, seed=1000 * seed + place).operands() for place in range(places)]
    outcome = run(roomy(case), case.mapping, np.vstack([a for a, _ in parts]), np.hstack([b for _, b in parts]))
    for place, (own_a, own_b) in enumerate(parts):
        rows, columns = (slice(place * size, (place + 1) * size) for size in (case.m, case.n))
        assert np.array_equal(outcome.product[rows, columns], own_a @ own_b)


@pytest.mark.parametrize("seed", range(40))
def test_a_machine_finds_the_same_where_pruned_values_get_their_zeros_back(seed):
    case = random_case(seed)
    a, b = case.operands()
    dense = run(roomy(case), case.mapping, a, b)
    assert np.array_equal(dense.product, case.run().product)


def roomy(case):
    """Its machine with registers enough for whatever the case holds."""
    return replace(case.machine, register_depth=256)


# What they are -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [5, 32, 97, 144, 960])
@pytest.mark.parametrize("stage", [Stage.FORWARD, Stage.WEIGHT_GRADIENT])
@pytest.mark.parametrize("places", [2, 3, 7, 32])
def test_a_pack_counts_what_its_repetitions_count(channels, stage, places):
    gemm = depthwise(channels, stage=stage)
    packed = gemm.formed(Form(packed=places))
    assert packed.as_lowered == gemm
    assert (packed.repetitions, packed.results) == (channels, channels * gemm.m * gemm.n)
    assert round(packed.own_share * packed.issued_macs) == gemm.issued_macs
    # All tensors, moved once, whoever packs them: the window's image, the weights, the results.
    both = [best_mapping(each, SAT).moved_bytes for each in (gemm, packed)]
    assert both[0] == both[1]


def test_a_form_is_saved_with_its_product():
    pruned = replace(depthwise(64, group=16), b=Pattern(2, 8))
    for form in (PLAIN, Form(packed=4), Form(expanded=True), Form(packed=2, expanded=True)):
        assert pruned.formed(form).as_lowered == pruned
        assert pruned.formed(form).form == form
    assert str(Form(packed=4, expanded=True)) == "4 packed, multiplied densely"


# What they cost ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [Stage.FORWARD, Stage.WEIGHT_GRADIENT])
def test_packed_depthwise_convolutions_fill_the_array(stage):
    """One group keeps 1 of 32 columns, or 9 x 1 of 32 x 32 PEs; packs of 32 take what 32 columns take, by hand."""
    gemm = depthwise(96, images=64, stage=stage)
    alone, packed = best_mapping(gemm, SAT), best_form(gemm, SAT)
    assert packed.mapping.form.packed > 1
    assert alone.cycles > 3 * packed.cycles
    by_hand = 96 // 32 * 9 * 64 * 28 * 28
    assert by_hand <= packed.cycles < 1.05 * by_hand


@pytest.mark.parametrize("channels", [97, 101, 127, 257])
@pytest.mark.parametrize("stage", [Stage.FORWARD, Stage.WEIGHT_GRADIENT])
def test_prime_channels_cost_nearly_as_much_as_their_neighbours(channels, stage):
    one_less, prime = (best_form(depthwise(count, stage=stage), SAT).cycles for count in (channels - 1, channels))
    assert prime < 1.12 * one_less


@pytest.mark.parametrize("seed", range(40))
def test_nothing_pruned_is_slower_than_dense(seed):
    """On any design, whatever its array can select; a thousandth and a tile's rounding aside."""
    draw = Draw(seed)
    hardware = wild_numbers(draw, wild_kind(draw)).model
    pattern = draw.one(Pattern(2, 4), Pattern(2, 8), Pattern(1, 8))
    dense = Gemm(
        name="any",
        operator="any",
        stage=Stage.FORWARD,
        m=draw.one(49, 1000, 4096),
        n=draw.one(16, 64, 250),
        k=draw.one(64, 576, 2048),
    )
    pruned = replace(dense, **{draw.one("a", "b"): pattern})
    if not hardware.tensor_engine.supports(pattern):
        pytest.skip("the design lacks the pattern")
    try:
        before = best_form(dense, hardware).cycles
    except MappingError:
        pytest.skip("the design maps nothing")
    assert best_form(pruned, hardware).cycles <= 1.02 * slowest_alike(before)


def test_what_lies_where_dense_does_not_is_multiplied_densely():
    """2:4 on 8 x 128: the columns want the operand that cannot be selected from there."""
    dense = Gemm(name="g", operator="g", stage=Stage.FORWARD, m=4096, n=16, k=576)
    pruned, wide = replace(dense, b=Pattern(2, 4)), with_array(8, 128)
    choice = best_form(pruned, wide)
    assert choice.mapping.form == Form(expanded=True)
    assert choice.cycles <= best_form(dense, wide).cycles < best_mapping(pruned, wide).cycles / 3
    # The stream in memory is the pruned one, whichever way it is multiplied; the array sees dense sums.
    cost = product_cost(pruned.expand(), wide, choice.mapping)
    assert cost.read_bytes < best_form(dense, wide).moved_bytes
    assert cost.actions["multiplies"] == dense.issued_macs


def test_hardware_without_zero_insertion_has_plain_forms_alone():
    buffers = SAT.buffers.model_copy(update={"zero_insertion": False})
    pruned = replace(depthwise(64, group=16), b=Pattern(2, 8))
    assert forms_of(pruned, SAT.model_copy(update={"buffers": buffers})) == (PLAIN,)
    assert len(forms_of(pruned, SAT)) > 2


def test_repetitions_that_are_no_groups_of_a_convolution_are_not_packed():
    heads = replace(depthwise(64), packable=False)
    assert forms_of(heads, SAT) == (PLAIN,)
    with pytest.raises(MappingError, match="need the groups of a convolution"):
        check_form(Form(packed=2), heads, SAT)


def test_blocks_that_would_share_groups_are_not_packed():
    pruned = replace(depthwise(64, group=4), b=Pattern(2, 8))
    assert {form.packed for form in forms_of(pruned, SAT)} == {1}


# Many designs at once ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_each_design_gets_the_form_and_the_mapping_that_it_gets_alone(seed):
    draw = Draw(seed)
    stage = draw.one(Stage.FORWARD, Stage.WEIGHT_GRADIENT)
    gemm = depthwise(draw.one(24, 64, 97), draw.one(7, 14), stage=stage, group=draw.one(1, 1, 8))
    if stage is Stage.FORWARD and draw.chance(0.5):
        operand = draw.one("a", "b")
        gemm = replace(gemm, **{operand: Pattern(2, 8)}, reduced_on_load=operand if draw.chance(0.3) else None)
    kind = wild_kind(draw)
    prices = [wild_prices(draw) for _ in range(8)]
    table = DesignTable(designs=[wild_numbers(draw, kind).model for _ in range(8)], energy=EnergyModel.beside(prices))
    found = search_forms(gemm, table, np.arange(8))
    for row, hardware in enumerate(table.designs):
        try:
            alone = best_form(gemm, hardware, objective=Objective(name="time", energy=prices[row])).mapping
        except MappingError:
            assert not found.feasible[row] or not hardware.tensor_engine.supports(gemm.pattern)
            continue
        form = found.forms[found.which[row]]
        m, n, k = (int(axis.size[row, 0]) for axis in form.axes)
        order, array = LOOP_ORDERS[form.orders[row]], form.array_mapping(row)
        mapping = Mapping(array=array, tile_m=m, tile_n=n, tile_k=k, order=order, form=form.gemm.form)
        assert mapping == alone


# Saved and replayed --------------------------------------------------------------------------------------------------


def test_a_decision_brings_its_form():
    gemm = depthwise(96)
    mapping = best_form(gemm, SAT).mapping
    planned = Mapper(hardware=SAT, decisions={gemm.name: mapping}).plan(gemm)
    assert planned.gemm == gemm.formed(mapping.form) != gemm


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (Form(packed=97), "got 97 packed, need at most 96 packed"),
        (Form(expanded=True), "got multiplied densely, need a pruned operand"),
    ],
)
def test_a_decision_for_a_form_that_cannot_be_is_refused(form, message):
    gemm = depthwise(96)
    mapping = replace(best_form(gemm, SAT).mapping, form=form)
    with pytest.raises(MappingError, match=message):
        Mapper(hardware=SAT, decisions={gemm.name: mapping}).plan(gemm)


def test_neither_is_replayed_on_hardware_that_inserts_no_zeros():
    buffers = SAT.buffers.model_copy(update={"zero_insertion": False})
    plain = SAT.model_copy(update={"buffers": buffers})
    with pytest.raises(MappingError, match=r"buffers\.zero_insertion is false"):
        check_form(Form(packed=2), depthwise(96), plain)
    with pytest.raises(MappingError, match="whole groups of 8"):
        check_form(Form(packed=2), replace(depthwise(96), b=Pattern(2, 8)), SAT)
