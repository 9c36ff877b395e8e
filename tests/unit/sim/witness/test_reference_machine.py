"""The register-level machine against cycles counted by hand, and the checks that keep it honest.

Cycle numbers begin at 0; a result written at the end of cycle t makes t + 1 cycles.
"""

import ast
from dataclasses import replace
from pathlib import Path

import bisparse.sim.witness.machines
import numpy as np
import pytest
from bisparse.configs.errors import ConfigError, MappingError
from bisparse.configs.pattern import DENSE, Pattern
from bisparse.sim.witness.machines import output_program, output_stationary, stationary_program, weight_stationary
from bisparse.sim.witness.machines.machine import Machine, Mapping, run
from bisparse.sim.witness.machines.operands import Groups, compress, prune
from bisparse.sim.witness.machines.specification import HazardError
from bisparse.sim.witness.machines.stationary_load import StationaryChain, StationaryLatches

OS = Mapping(dataflow="os")
WS = Mapping(dataflow="ws")


def integers(*shape, seed=0):
    return np.random.default_rng(seed).integers(-9, 10, shape).astype(float)


def cycles_of(machine, mapping, m, k, n, **how):
    """Cycles of a random dense product, after checking what it computed."""
    a, b = integers(m, k, seed=1), integers(k, n, seed=2)
    outcome = run(machine, mapping, a, b, **how)
    np.testing.assert_array_equal(outcome.product, a @ b)
    return outcome.cycles


# Output stationary -------------------------------------------------------------------------------------------------


def test_output_stationary_wire():
    """2 x 2, k = 3: PE (1, 1) issues in cycles 2, 3, 4: 5 cycles, SCALE-Sim's R + C + K - 2."""
    assert cycles_of(Machine(rows=2, cols=2, drain="wire"), OS, 2, 3, 2) == 5


def test_output_stationary_shift():
    """As above, then column 1 shifts in cycles 5 and 6: 7 cycles, 2R + C + K - 2."""
    assert cycles_of(Machine(rows=2, cols=2), OS, 2, 3, 2) == 7


def test_a_slow_adder_holds_the_next_accumulation_back():
    """One PE, P = 4, L = 3, k = 2: issues in 0 and 3, usable after cycle 3 + 4 - 1 = 6: 7 cycles."""
    assert cycles_of(Machine(rows=1, cols=1, mac_latency=4, accumulate_latency=3, drain="wire"), OS, 1, 2, 1) == 7


def test_interleave_fills_the_adder():
    """As above with two rows on the PE: issues 0 1, 3 4; the last is usable after cycle 4 + 3: 8 cycles, not 14."""
    machine = Machine(rows=1, cols=1, mac_latency=4, accumulate_latency=3, drain="wire", register_depth=2)
    assert cycles_of(machine, Mapping(dataflow="os", interleave_m=2), 2, 2, 1) == 8
    assert cycles_of(machine, OS, 2, 2, 1) == 14


def test_folds_follow_one_another_when_not_overlapped():
    """2 x 1 PEs, m = 4, k = 1, shift: a fold issues in 0 and 1, shifts in 2 and 3; the second begins in 4: 8 cycles."""
    assert cycles_of(Machine(rows=2, cols=1), OS, 4, 1, 1) == 8


def test_overlapped_folds_wait_for_the_drain():
    """2 x 1 PEs, m = 6, k = 1: three folds begin in 0, 2, 4, as a column gives one result a cycle.

    The last one's bottom PE issues in 5 and its column shifts in 6 and 7: 8 cycles.
    """
    a, b = integers(6, 1), integers(1, 1)
    outcome = run(Machine(rows=2, cols=1, overlapped=True), OS, a, b)
    assert (outcome.cycles, outcome.fold_starts) == (8, (0, 2, 4))


def test_overlapped_folds_follow_at_once_when_the_drain_is_short():
    """2 x 1 PEs, m = 4, k = 3: the second fold begins in 3; its bottom PE ends in 6, shifts in 7 and 8: 9 cycles."""
    outcome = run(Machine(rows=2, cols=1, overlapped=True), OS, integers(4, 3), integers(3, 1))
    assert (outcome.cycles, outcome.fold_starts) == (9, (0, 3))


@pytest.mark.parametrize("compressed", ["a", "b"])
def test_output_stationary_skips_what_was_pruned(compressed):
    """2:4 along k = 5 on one PE: the groups keep 2 of 4 and 1 of 1: 3 cycles."""
    groups = Groups(taps=1, channels=5, pattern=Pattern(2, 4))
    a, b = integers(1, 5, seed=3), integers(5, 1, seed=4)
    a, b = (prune(a, groups), b) if compressed == "a" else (a, prune(b.T, groups).T)
    outcome = run(Machine(rows=1, cols=1, drain="wire"), OS, a, b, pattern=Pattern(2, 4), compressed=compressed)
    assert (outcome.product.item(), outcome.cycles) == ((a @ b).item(), 3)


# Weight stationary -------------------------------------------------------------------------------------------------


def test_weight_stationary_textbook():
    """2 x 2, k = n = 2, T = 3: load 0..1; PE (1, 1) issues 4, 5, 6: 7 cycles, SCALE-Sim's 2R + C + T - 2."""
    assert cycles_of(Machine(rows=2, cols=2), WS, 3, 2, 2) == 7


def test_input_stationary_streams_columns():
    """IS is WS of the transposed product: A [2, 2] stays, three columns of B stream: 7 cycles again."""
    assert cycles_of(Machine(rows=2, cols=2), Mapping(dataflow="is"), 2, 2, 3) == 7


def test_a_row_starts_when_the_partial_sum_reaches_its_adder():
    """2 x 1 PEs of two weights, P = 3, L = 2, one vector: load 0..3.

    Row 0 issues in 4 and 6; its sum is usable in 9, when the adder of a multiply-accumulate issued in 8 wants it. Row 1
    issues in 8 and 10, usable after 12: 13 cycles.
    """
    machine = Machine(rows=2, cols=1, mac_latency=3, accumulate_latency=2, register_depth=2)
    assert cycles_of(machine, replace(WS, resident_groups=2), 1, 4, 1) == 13


def test_a_short_last_batch_keeps_the_spacing():
    """One PE of two weights, T = 3 in batches of 2: load 0..1, issues 2 3, 4 5, then 6 and 8: 9 cycles."""
    machine = Machine(rows=1, cols=1, register_depth=2)
    assert cycles_of(machine, replace(WS, resident_groups=2, interleave=2), 3, 2, 1) == 9


@pytest.mark.parametrize(("load", "starts", "cycles"), [("chain", (2, 6, 10), 14), ("latch", (2, 4, 6), 10)])
def test_the_next_weights_come_while_these_stream(load, starts, cycles):
    """2 x 1 PEs, P = L = 2, one vector, three folds along n; row 1 starts 2 cycles after row 0.

    Chain: the first load takes 0..1; row 1 takes its weights in cycle 4, so the chain moves in 4 and 5 and fold 1
    begins in 6. Latches: row 0 takes weights in 2, 4 and 6 and row 1 in 4, 6 and 8; the bus brings the two words of a
    fold in two cycles, so a fold every 2. From the last start, row 1 issues 2 later, usable after 2 more.
    """
    machine = Machine(rows=2, cols=1, mac_latency=2, accumulate_latency=2, overlapped=True, stationary_load=load)
    outcome = run(machine, WS, integers(1, 2), integers(2, 3))
    assert (outcome.fold_starts, outcome.cycles) == (starts, cycles)


def test_a_compressed_moving_operand_meets_whole_groups():
    """2 x 1 PEs, A 1:2 along k = 4: each PE holds a group's 2 values, load 0..3; issues in 4 and 5: 6 cycles."""
    groups = Groups(taps=1, channels=4, pattern=Pattern(1, 2))
    a, b = prune(integers(1, 4), groups), integers(4, 1, seed=5)
    machine = Machine(rows=2, cols=1, register_depth=2)
    outcome = run(machine, WS, a, b, pattern=Pattern(1, 2), compressed="a")
    assert (outcome.product.item(), outcome.cycles) == ((a @ b).item(), 6)


def test_a_compressed_stationary_operand_loads_its_pairs_only():
    """2 x 1 PEs, B 1:2 along k = 4: a pair a PE, load 0..1; issues in 2 and 3: 4 cycles."""
    groups = Groups(taps=1, channels=4, pattern=Pattern(1, 2))
    a, b = integers(1, 4), prune(integers(4, 1, seed=5).T, groups).T
    outcome = run(Machine(rows=2, cols=1), WS, a, b, pattern=Pattern(1, 2), compressed="b")
    assert (outcome.product.item(), outcome.cycles) == ((a @ b).item(), 4)


@pytest.mark.parametrize("dataflow", ["os", "ws", "is"])
def test_all_kept_is_dense(dataflow):
    machine = Machine(rows=3, cols=2, mac_latency=4, accumulate_latency=2, register_depth=4)
    mapping = Mapping(dataflow=dataflow, interleave_m=2, interleave_n=2, interleave=2, resident_groups=3)
    a, b = integers(7, 10), integers(10, 5)
    dense = run(machine, mapping, a, b)
    kept = run(machine, mapping, a, b, pattern=Pattern(4, 4), compressed="b")
    assert kept.cycles == dense.cycles


# What a PE can hold ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mapping", "how", "needed"),
    [
        (Mapping(dataflow="os", interleave_m=3, interleave_n=2), {}, 6),
        (Mapping(dataflow="ws", resident_groups=3), {}, 3),
        (Mapping(dataflow="ws", resident_groups=2), {"pattern": Pattern(2, 4), "compressed": "b"}, 4),
        (Mapping(dataflow="ws", resident_groups=2), {"pattern": Pattern(2, 4), "compressed": "a"}, 8),
        (Mapping(dataflow="is", resident_groups=2), {"pattern": Pattern(2, 4), "compressed": "a"}, 4),
        (Mapping(dataflow="is", resident_groups=2), {"pattern": Pattern(2, 4), "compressed": "b"}, 8),
    ],
)
def test_register_depth_is_respected(mapping, how, needed):
    """Two rows and columns, m = n = 12, k = 16: nothing is cut, so the registers named are really needed."""
    groups = Groups(taps=1, channels=16, pattern=how.get("pattern", DENSE))
    a, b = prune(integers(12, 16), groups), prune(integers(12, 16, seed=1), groups).T
    fits = Machine(rows=2, cols=2, register_depth=needed)
    np.testing.assert_array_equal(run(fits, mapping, a, b, **how).product, a @ b)
    with pytest.raises(
        MappingError,
        match=rf"^register_depth: got {needed - 1}, need {needed} for .*; try a smaller interleave or fewer",
    ):
        run(replace(fits, register_depth=needed - 1), mapping, a, b, **how)


def test_an_interleave_beyond_the_product_needs_no_registers():
    mapping = Mapping(dataflow="os", interleave_m=8, interleave_n=8)
    assert cycles_of(Machine(rows=2, cols=2, drain="wire", register_depth=1), mapping, 2, 3, 2) == 5


# Hazards -----------------------------------------------------------------------------------------------------------

SLOW = Machine(rows=2, cols=2, mac_latency=5, accumulate_latency=3, register_depth=4, overlapped=True)
DENSE_4 = Groups(taps=1, channels=4, pattern=DENSE)


def output_array(machine, rows_operand, columns_operand, groups, times=None):
    tiled = [
        output_program.fold_lanes(operand, 1, lanes)
        for operand, lanes in ((rows_operand, machine.rows), (columns_operand, machine.cols))
    ]
    program = output_program.lay_out(machine, *tiled, groups, "b")
    if times is not None:
        program = replace(program, times=tuple(map(times, program.times)))
    interval = output_stationary.longest_hold(machine, *tiled, groups, "b")
    return output_stationary.OutputStationaryArray(machine, program), interval


def test_an_accumulation_one_cycle_too_soon_is_a_hazard():
    """L = 3: the second accumulation issues in cycle 3; moved to 2, its partial sum is still in the adder."""
    array, _ = output_array(SLOW, integers(2, 4), integers(2, 4), DENSE_4)
    array.run(0)
    array, _ = output_array(SLOW, integers(2, 4), integers(2, 4), DENSE_4, times=lambda times: times - (times > 0))
    with pytest.raises(HazardError, match="met its adder when its partial sum was not there"):
        array.run(0)


@pytest.mark.parametrize("shift", [-1, 1])
def test_a_row_that_starts_at_another_time_is_a_hazard(shift):
    """There is no buffer between rows: a cycle too late is as wrong as a cycle too soon."""
    program = stationary_program.lay_out(
        SLOW, Mapping(dataflow="ws", resident_groups=2, interleave=2), integers(5, 4), integers(2, 4), DENSE_4, False
    )
    delay = weight_stationary.row_delay(SLOW, program)
    weight_stationary.WeightStationaryArray(SLOW, program, delay).run()
    with pytest.raises(HazardError, match="met its adder when its partial sum was not there"):
        weight_stationary.WeightStationaryArray(SLOW, program, delay + shift).run()


def test_folds_one_cycle_closer_than_the_drain_allows_are_a_hazard():
    """4 x 2 PEs, k = 1: a fold issues in 1 cycle and drains in 4. Folds 4 cycles apart are right, 3 are not."""
    machine = Machine(rows=4, cols=2, mac_latency=3, overlapped=True)
    groups = Groups(taps=1, channels=1, pattern=DENSE)
    array, interval = output_array(machine, integers(16, 1), integers(2, 1), groups)
    assert interval == 4
    array.run(interval)
    array, _ = output_array(machine, integers(16, 1), integers(2, 1), groups)
    with pytest.raises(HazardError, match="captured over one that had not left"):
        array.run(interval - 1)


def test_folds_one_cycle_closer_than_the_bus_keeps_up_with_are_a_hazard():
    """3 rows of one weight behind latches: a load holds the bus for 3 cycles; a fold every 2 cycles outruns it."""
    machine = Machine(rows=3, cols=2, overlapped=True, stationary_load="latch")
    groups = Groups(taps=1, channels=3, pattern=DENSE)
    program = stationary_program.lay_out(machine, WS, integers(1, 3), integers(24, 3), groups, False)
    delay = weight_stationary.row_delay(machine, program)
    weight_stationary.WeightStationaryArray(machine, program, delay).run()
    with pytest.raises(HazardError, match="opened a fold before its stationary values were in place"):
        weight_stationary.WeightStationaryArray(machine, program, delay).run(latch_interval=2)


@pytest.mark.parametrize("make", [StationaryChain, lambda words: StationaryLatches(words, 1)])
def test_weights_cannot_be_taken_before_they_are_there(make):
    """Two rows of one word, one column: two cycles load it, after one it is not there."""
    words = np.arange(4.0).reshape(1, 2, 1, 1, 2)
    row, column, fold = np.array([0, 1]), np.array([0, 0]), np.array([0, 0])
    port = make(words)
    port.cycle(1, 1)
    with pytest.raises(HazardError, match="before its stationary values were in place"):
        port.take(row, column, fold)
    port.cycle(1, 1)
    np.testing.assert_array_equal(port.take(row, column, fold), words[0, :, :, 0])


# Operands ----------------------------------------------------------------------------------------------------------


def test_pruning_keeps_the_largest_and_of_equals_the_first():
    groups = Groups(taps=2, channels=3, pattern=Pattern(1, 2))
    np.testing.assert_array_equal(prune(np.array([[2.0, -2.0, 1.0, 0.0, -1.0, 0.0]]), groups), [[2, 0, 1, 0, -1, 0]])


def test_a_short_group_takes_its_own_number_of_slots():
    """3:4 along 5 channels: the group of one has a single pair in use."""
    groups = Groups(taps=1, channels=5, pattern=Pattern(3, 4))
    pairs = compress(np.array([[0.0, 5.0, 0.0, 7.0, 9.0]]), groups)
    assert pairs.used.tolist() == [[True, True, True], [True, False, False]]
    assert pairs.values[0].tolist() == [[5, 7, 0], [9, 0, 0]]
    assert pairs.indices[0, :, :2].tolist() == [[1, 3], [0, 1]]


def test_an_operand_that_is_not_pruned_is_refused():
    """1:2 along k = 4; the second column of B keeps both elements of its second group."""
    b = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 1.0]])
    with pytest.raises(
        ValueError, match=r"^operand: got more than 1 elements kept at .* \(1, 1\), need 1:2; try prune"
    ):
        run(Machine(rows=1, cols=1), OS, np.ones((1, 4)), b, pattern=Pattern(1, 2), compressed="b")


# What is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "how", "message"),
    [
        (np.ones((2, 3)), np.ones((4, 2)), {}, r"operands: got shapes \(2, 3\) and \(4, 2\), need \[m, k\]"),
        (np.ones((2, 0)), np.ones((0, 2)), {}, "none of them 0"),
        (np.ones((2, 4)), np.ones((4, 2)), {"taps": 3}, "taps: got 3, need a divisor of k = 4"),
        (np.full((1, 1), np.inf), np.ones((1, 1)), {}, "got a value that is not finite"),
    ],
)  # fmt: skip
def test_operands_that_make_no_product_are_refused(a, b, how, message):
    with pytest.raises(ValueError, match=message):
        run(Machine(rows=1, cols=1), OS, a, b, **how)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("rows", 0, "rows: got 0, need at least 1"),
        ("accumulate_latency", 2, "accumulate_latency: got 2, need at most mac_latency = 1"),
        ("drain", "pour", "drain: got 'pour', need 'shift' or 'wire'"),
        ("stationary_load", "beam", "stationary_load: got 'beam', need 'chain' or 'latch'"),
    ],
)
def test_machines_that_cannot_be_are_refused(field, value, message):
    with pytest.raises(ConfigError, match=message):
        Machine(**{"rows": 1, "cols": 1, field: value})


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("dataflow", "rs", "dataflow: got 'rs', need 'os', 'ws' or 'is'"),
        ("interleave", 0, "interleave: got 0, need at least 1"),
    ],
)
def test_mappings_that_cannot_be_are_refused(field, value, message):
    with pytest.raises(ConfigError, match=message):
        Mapping(**{"dataflow": "os", field: value})


# Independence ------------------------------------------------------------------------------------------------------

REFERENCE = Path(bisparse.sim.witness.machines.__path__[0])
ALLOWED_PACKAGES = {"__future__", "collections", "dataclasses", "itertools", "numpy", "typing"}


@pytest.mark.parametrize("path", sorted(REFERENCE.glob("*.py")), ids=lambda path: path.stem)
def test_nothing_here_imports_a_cycle_model(path):
    """Only the standard library's plainest modules, numpy, this folder, and ``configs``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= ALLOWED_PACKAGES
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            assert node.module is not None
            assert node.module.split(".")[0] in ALLOWED_PACKAGES
        elif isinstance(node, ast.ImportFrom):
            room = (node.module or "").split(".")[0]
            assert node.level == 1 or (node.level == 4 and room == "configs"), ast.unparse(node)
        else:
            called = node.func if isinstance(node, ast.Call) else None
            name = getattr(called, "id", getattr(called, "attr", None))
            assert name not in {"__import__", "import_module"}
