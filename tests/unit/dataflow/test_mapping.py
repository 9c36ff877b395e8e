"""Which array mappings a design offers, and what it says when it offers none."""

import itertools
import random

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import MappingError
from bisparse.configs.pattern import Pattern
from bisparse.dataflow.dataflows.tile import Sparsity
from bisparse.dataflow.dataflows.weight_stationary import WEIGHT_STATIONARY
from bisparse.dataflow.gemm import Gemm
from bisparse.dataflow.mapping import LOOP_ORDERS, ArrayMapping, Mapping, array_mappings
from bisparse.dataflow.product_cost import product_cost
from bisparse.dataflow.search import best_mapping
from bisparse.training.graph import Stage

SAT = load_hardware("sat-vcu1525").model


def engine(**fields):
    return SAT.tensor_engine.model_copy(update=fields)


def product(compressed=None, pattern="1:1", **fields):
    return Gemm(
        name="conv1:FF",
        operator="conv1",
        stage=Stage.FORWARD,
        **({compressed: Pattern.parse(pattern)} if compressed else {}),
        **{"m": 64, "n": 64, "k": 64} | fields,
    )


def places(engine_, gemm):
    return {(mapping.dataflow, mapping.swapped) for mapping in array_mappings(engine_, gemm)}


def test_a_dense_product_may_lie_either_way():
    offered = engine(dataflows=("os", "ws", "is"), swap_operands=True)
    assert places(offered, product()) == {("os", False), ("os", True), ("ws", False), ("is", False)}
    assert places(engine(dataflows=("os",), swap_operands=False), product()) == {("os", False)}


@pytest.mark.parametrize(
    ("compressed", "west", "moving", "expected"),
    [
        ("b", False, False, {("os", False), ("ws", False)}),
        ("a", False, False, {("os", True), ("is", False)}),
        ("b", True, False, {("os", False), ("os", True), ("ws", False)}),
        ("b", False, True, {("os", False), ("ws", False), ("is", False)}),
        ("a", True, True, {("os", False), ("os", True), ("ws", False), ("is", False)}),
    ],
)
def test_a_compressed_operand_goes_where_the_processing_elements_select(compressed, west, moving, expected):
    offered = engine(dataflows=("os", "ws", "is"), swap_operands=True, compressed_west=west, compressed_moving=moving)
    assert places(offered, product(compressed, "2:8")) == expected


def test_interleaves_fill_the_registers_and_no_more():
    found = array_mappings(engine(dataflows=("os",), swap_operands=False, register_depth=4), product())
    assert {(each.interleave_m, each.interleave_n) for each in found} == {
        (m, n) for m, n in itertools.product(range(1, 5), repeat=2) if m * n <= 4
    }
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("compressed", "dataflow", "group"),
    [("b", "ws", (2, 2)), ("a", "is", (2, 2)), ("a", "ws", (2, 8)), ("b", "is", (2, 8)), (None, "ws", (1, 1))],
)
def test_registers_hold_pairs_of_a_stationary_operand_and_groups_beside_a_moving_one(compressed, dataflow, group):
    gemm = product(compressed, "2:8" if compressed else "1:1")
    sparsity = Sparsity.of(gemm)
    own = sparsity if dataflow == "ws" else sparsity.exchanged
    assert WEIGHT_STATIONARY.grouping(SAT.tensor_engine.timing, own)[:2] == group
    offered = engine(dataflows=(dataflow,), compressed_moving=True, register_depth=8)
    most = max(mapping.resident_groups for mapping in array_mappings(offered, gemm))
    assert most == 8 // group[1]


def test_one_slot_a_processing_element_leaves_nothing_to_turn_between():
    found = array_mappings(engine(dataflows=("ws",), register_depth=3, accumulate_latency=2), product())
    assert [(each.resident_groups, each.interleave) for each in found] == [(1, 1), (2, 2), (2, 3), (3, 2), (3, 3)]


def test_an_adder_longer_than_the_registers_is_interleaved_as_far_as_they_go():
    found = array_mappings(engine(dataflows=("ws",), register_depth=2, accumulate_latency=4), product())
    assert [(each.resident_groups, each.interleave) for each in found] == [(1, 1), (2, 2)]


def test_the_west_operand_is_a_unless_swapped_or_stationary():
    assert ArrayMapping(dataflow="os").west == ArrayMapping(dataflow="ws").west == "a"
    assert ArrayMapping(dataflow="os", swapped=True).west == ArrayMapping(dataflow="is").west == "b"


def test_there_are_six_loop_orders():
    assert sorted(LOOP_ORDERS) == sorted({"".join(order) for order in itertools.permutations("mnk")})


def test_a_pattern_that_the_engine_lacks_is_refused():
    with pytest.raises(MappingError) as refused:
        array_mappings(engine(patterns=("2:4", "2:8")), product("b", "3:8"))
    assert str(refused.value) == "conv1:FF: got sparsity 3:8, need one that the tensor engine has: 2:4, 2:8"
    with pytest.raises(MappingError, match="need one that the tensor engine has: dense only"):
        array_mappings(engine(patterns=()), product("b", "2:8"))


def test_a_dataflow_that_the_engine_lacks_is_refused():
    with pytest.raises(MappingError) as refused:
        array_mappings(engine(dataflows=("os", "ws")), product(), ("is",))
    assert str(refused.value) == "conv1:FF: got dataflow is, need one that the tensor engine has: os, ws"


def test_a_compressed_operand_that_no_place_selects_for_is_refused():
    with pytest.raises(MappingError) as refused:
        array_mappings(engine(dataflows=("ws",)), product("a", "2:8"))
    assert str(refused.value) == (
        "conv1:FF: got operand a compressed 2:8, need a dataflow that can select for it and a register_depth that "
        "holds a group; this engine offers ws with register_depth 8"
    )


def test_registers_too_few_for_a_group_are_refused():
    with pytest.raises(
        MappingError, match="a register_depth that holds a group; this engine offers ws with register_depth 1"
    ):
        array_mappings(engine(dataflows=("ws",), register_depth=1), product("b", "2:8"))


def with_capacity(**bytes_of):
    buffers = {
        side: getattr(SAT.buffers, side).model_copy(update={"capacity_bytes": capacity})
        for side, capacity in bytes_of.items()
    }
    return SAT.model_copy(update={"buffers": SAT.buffers.model_copy(update=buffers)})


def test_a_buffer_too_small_for_any_tile_is_named_with_what_it_needs():
    """The smallest tile is one value of each: 2 bytes of FP16, 4 double buffered; 8 of a partial sum."""
    with pytest.raises(MappingError) as refused:
        best_mapping(product(), with_capacity(west=3))
    assert str(refused.value) == (
        "sat-vcu1525: no tile of conv1:FF fits: buffers.west.capacity_bytes: got 3, need at least 4; "
        "try a larger buffer"
    )
    with pytest.raises(MappingError, match=r"output.capacity_bytes: got 7, need at least 8; try"):
        best_mapping(product(), with_capacity(output=7))


@pytest.mark.parametrize("side", ["west", "north", "output"])
def test_the_need_named_is_enough(side):
    needed = {"west": 4, "north": 4, "output": 8}[side]
    assert best_mapping(product(), with_capacity(**{side: needed})).cycles > 0


def test_the_need_named_is_that_of_the_operand_on_that_side():
    """Under IS operand B is in the west: k x n of 8 x 1, where A has 8 x 8."""
    design = with_capacity(west=1).model_copy(update={"tensor_engine": engine(dataflows=("is",))})
    with pytest.raises(MappingError, match=r"west.capacity_bytes: got 1, need at least 4; try"):
        best_mapping(product(m=20, n=1, k=8), design)


def test_a_tile_along_k_is_chosen_when_the_whole_depth_does_not_fit():
    design = with_capacity(west=32 * 32 * 4, north=32 * 32 * 4, output=64 * 64 * 4)
    assert best_mapping(product(), design).mapping.tile_k < 64


# Interleave switched off ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("compressed", "pattern"), [(None, "1:1"), ("b", "2:8"), ("a", "2:4")])
def test_without_interleave_a_processing_element_works_on_one_accumulation_and_holds_what_it_likes(compressed, pattern):
    offered = engine(dataflows=("os", "ws", "is"), compressed_moving=True)
    with_it = array_mappings(offered, product(compressed, pattern))
    without = array_mappings(offered, product(compressed, pattern), interleave=False)
    assert {(each.interleave_m, each.interleave_n, each.interleave) for each in without} == {(1, 1, 1)}
    assert len(without) == len(set(without))

    def held(mappings):
        return {(each.dataflow, each.swapped, each.resident_groups) for each in mappings}

    assert held(without) == held(with_it)


def test_registers_of_one_value_leave_no_interleave_to_switch_off():
    narrow = engine(dataflows=("os", "ws"), register_depth=1)
    assert array_mappings(narrow, product(), interleave=False) == array_mappings(narrow, product())


def test_what_interleave_buys_an_output_stationary_product_by_hand():
    """64 x 64 x 64 on 32 x 32 with L = 4: a fold issues for (S - 1) * max(I, L) + I cycles, S = 64.

    Without: 4 folds of 63 * 4 + 1 = 253, of which 64 issue and 63 * 3 = 189 wait: 4 * 64 = 256 busy, 756 bubbles. The
    array needs 3 * 253 + 253 + 31 + 31 + 7 + 32 (drain, I * R) = 1113.
    With 2 x 2: one fold of 63 * 4 + 4 = 256, all busy. The array needs 256 + 31 + 31 + 7 + 4 * 32 = 453.
    """
    design = SAT.model_copy(update={"tensor_engine": engine(dataflows=("os",))})
    without, with_it = (
        product_cost(product(), design, Mapping(array=array, tile_m=64, tile_n=64, tile_k=64, order="mnk"))
        for array in (ArrayMapping(dataflow="os"), ArrayMapping(dataflow="os", interleave_m=2, interleave_n=2))
    )
    assert (without.causes["busy"], without.causes["bubble"]) == (256, 756)
    assert (with_it.causes["busy"], with_it.causes.get("bubble", 0)) == (256, 0)
    assert without.causes["busy"] + without.causes["bubble"] + without.causes["fill_drain"] == 1113
    assert with_it.causes["busy"] + with_it.causes["fill_drain"] == 453
    assert best_mapping(product(), design, interleave=False).mapping.array.interleave_m == 1


@pytest.mark.parametrize("seed", range(12))
def test_a_search_with_more_freedom_never_finds_a_slower_product(seed):
    draw = random.Random(seed)
    design = SAT.model_copy(update={"tensor_engine": engine(dataflows=("os", "ws", "is"))})
    compressed, pattern = draw.choice([(None, "1:1"), ("b", "2:8")])
    gemm = product(compressed, pattern, m=draw.randint(1, 700), n=draw.randint(1, 300), k=8 * draw.randint(1, 90))
    freest = best_mapping(gemm, design).cycles
    for dataflows in (("os",), ("ws",), ("os", "ws")):
        interleaved = best_mapping(gemm, design, dataflows=dataflows)
        one_at_a_time = best_mapping(gemm, design, dataflows=dataflows, interleave=False)
        assert freest <= interleaved.cycles <= one_at_a_time.cycles
        assert one_at_a_time.mapping.array.dataflow in dataflows
