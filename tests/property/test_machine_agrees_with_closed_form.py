"""The closed forms of the tensor engine and its register-level machine agree on every cycle and every product.

And the agreement means something: the cases reach the corners that they claim to reach, and a closed form that is off
by one in any of its terms is found out.
"""

import ast
import inspect
from collections import Counter
from dataclasses import dataclass, replace
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from bisparse.accel import tensor_engine
from bisparse.accel.specification import load_hardware
from bisparse.configs import pattern as pattern_module
from bisparse.configs.errors import MappingError
from bisparse.configs.pattern import DENSE, Pattern
from bisparse.dataflow.dataflows import output_stationary as output_stationary_dataflow
from bisparse.dataflow.dataflows import weight_stationary as weight_stationary_dataflow
from bisparse.sim.product.single_product import array_figures, plain_product
from bisparse.sim.witness import array_agreement as agreement
from bisparse.sim.witness.machines import output_program, output_stationary
from bisparse.sim.witness.machines.machine import Machine, Mapping, run
from bisparse.sim.witness.machines.operands import Groups
from bisparse.sim.witness.machines.random_cases import Case, fit, random_case, traits
from bisparse.sim.witness.machines.random_tiles import TilesCase, random_tiles
from bisparse.sim.witness.machines.specification import HazardError
from hypothesis import assume, given, settings
from hypothesis import strategies as st

seeded_cases = st.integers(0, 2**32 - 1).map(random_case)
"""Cases as ``bisparse validate`` draws them."""


@st.composite
def drawn_cases(draw):
    """Cases that hypothesis draws and shrinks itself, spread evenly where ``random_case`` leans towards corners."""
    compressed = draw(st.sampled_from([None, "a", "b"]))
    group = draw(st.integers(1, 8))
    latency = draw(st.integers(1, 5))
    case = Case(
        machine=Machine(
            rows=draw(st.integers(1, 4)),
            cols=draw(st.integers(1, 4)),
            mac_latency=latency + draw(st.integers(0, 4)),
            accumulate_latency=latency,
            overlapped=draw(st.booleans()),
            drain=draw(st.sampled_from(["shift", "wire"])),
            stationary_load=draw(st.sampled_from(["chain", "latch"])),
        ),
        mapping=Mapping(
            dataflow=draw(st.sampled_from(["os", "ws", "is"])),
            interleave_m=draw(st.integers(1, 3)),
            interleave_n=draw(st.integers(1, 3)),
            interleave=draw(st.integers(1, 5)),
            resident_groups=draw(st.integers(1, 3)),
        ),
        m=draw(st.integers(1, 9)),
        n=draw(st.integers(1, 9)),
        taps=draw(st.integers(1, 3)),
        channels=draw(st.integers(1, 9)),
        pattern=Pattern(draw(st.integers(1, group)), group) if compressed else DENSE,
        compressed=compressed,
        seed=draw(st.integers(0, 99)),
    )
    spare = draw(st.integers(0, 2))
    return replace(case, machine=replace(case.machine, register_depth=fit(case).registers + spare))


@settings(max_examples=250, deadline=None)
@given(seeded_cases)
def test_seeded_cases_agree(case):
    assert agreement.check_case(case) is None


def spread_out(case):
    """Operands A and B of a case whose every kept value has a group of its own, met by all values that its group meets.

    As many products as before, 1:M where it was N:M: what a machine does whose PEs hold one value of a group each.
    """
    a, b = case.operands()
    stays, passes = (b.T, a) if case.mapping.dataflow == "ws" else (a, b.T)
    groups = Groups(taps=case.taps, channels=case.channels, pattern=case.pattern)
    held, met = groups.vectors(stays), groups.vectors(passes)
    rank = np.argsort(np.argsort(-np.abs(held), axis=-1, kind="stable"), axis=-1)
    slots = [(group, slot) for group, kept in enumerate(groups.kept()) for slot in range(kept)]
    alone = np.hstack([np.where(rank[:, group] == slot, held[:, group], 0.0) for group, slot in slots])
    beside = np.hstack([met[:, group] for group, _ in slots])
    return (beside, alone.T) if case.mapping.dataflow == "ws" else (alone, beside.T)


@settings(max_examples=250, deadline=None)
@given(drawn_cases(), st.sampled_from(["ws", "is"]), st.sampled_from(["1:2", "2:4", "3:4", "2:8"]))
def test_groups_spread_over_processing_elements_agree(drawn, dataflow, pattern):
    case = replace(
        drawn,
        machine=replace(drawn.machine, register_depth=64),
        mapping=replace(drawn.mapping, dataflow=dataflow),
        compressed={"ws": "b", "is": "a"}[dataflow],
        pattern=Pattern.parse(pattern),
    )
    a, b = spread_out(case)
    outcome = run(case.machine, case.mapping, a, b, pattern=Pattern(1, case.pattern.group), compressed=case.compressed)
    own_a, own_b = case.operands()
    assert np.array_equal(outcome.product, own_a @ own_b)
    assert outcome.cycles == agreement.closed_form_cycles(case, spread_groups=True)


def test_a_spread_product_folds_as_a_dense_one_of_its_slots():
    """2:4 of k 128 on SCALE-Sim's array: 64 slots are two folds of 32 rows, 2R + C + T - 2 cycles each."""
    textbook = load_hardware("systolic-textbook").model.tensor_engine
    spread = textbook.model_copy(update={"patterns": ("2:4",), "spread_groups": True})
    gemm = plain_product(100, 32, 128, Pattern(2, 4))
    assert array_figures(spread, gemm, "ws").cycles == 2 * (2 * 32 + 32 + 100 - 2)
    in_one = spread.model_copy(update={"spread_groups": False, "register_depth": 2})
    assert array_figures(in_one, gemm, "ws").cycles != array_figures(spread, gemm, "ws").cycles


@settings(max_examples=250, deadline=None)
@given(drawn_cases())
def test_drawn_cases_agree(case):
    assert agreement.check_case(case) is None


@settings(max_examples=100, deadline=None)
@given(seeded_cases)
def test_one_register_less_than_needed_is_refused(case):
    needed = fit(case).registers
    assume(needed > 1)
    with pytest.raises(MappingError, match=f"^register_depth: got {needed - 1}, need {needed} for "):
        replace(case, machine=replace(case.machine, register_depth=needed - 1)).run()


def test_a_disagreement_says_what_differs(monkeypatch):
    case = random_case(0)
    cycles = case.run().cycles
    monkeypatch.setattr(agreement, "closed_form_cycles", lambda _: cycles + 1)
    (found,) = agreement.disagreements([case])
    assert str(found).startswith(f"closed form {cycles + 1} cycles, machine {cycles} cycles, product off by 0: Case(")


DRAIN_BOUND = [
    case
    for case in map(random_case, range(1000))
    if case.machine.overlapped and "drain longer than issue" in traits(case) and "one fold" not in traits(case)
][:20]


@pytest.mark.parametrize("case", DRAIN_BOUND, ids=lambda case: str(case.seed))
def test_folds_cannot_begin_a_cycle_sooner(case):
    """The interval between drain-bound folds is the least that is free of hazards, not merely one that is."""
    (m, rows), (n, cols) = fit(case).tiled
    machine = case.machine
    groups = Groups(taps=case.taps, channels=case.channels, pattern=DENSE)
    if case.pattern.is_dense or case.compressed is None:
        compressed = "b"
    else:
        compressed = case.compressed
        groups = replace(groups, pattern=case.pattern)
    a, b = case.operands()
    tiled = [
        output_program.fold_lanes(a, rows // machine.rows, machine.rows),
        output_program.fold_lanes(b.T, cols // machine.cols, machine.cols),
    ]
    assert a.shape[0] == m
    assert b.shape[1] == n
    interval = output_stationary.longest_hold(machine, *tiled, groups, compressed)
    program = output_program.lay_out(machine, *tiled, groups, compressed)
    with pytest.raises(HazardError, match="captured over one that had not left"):
        output_stationary.OutputStationaryArray(machine, program).run(interval - 1)


def test_corners_are_visited():
    """A tenth of the seeded cases, at least, sits in each corner where a cycle model is easily wrong."""
    cases = [random_case(seed) for seed in range(2000)]
    counts = Counter(trait for case in cases for trait in traits(case))
    for trait in (
        "one fold",
        "drain longer than issue",
        "interleave beyond supply",
        "adder longer than interleave",
        "k below M",
        "edge folds",
    ):
        assert counts[trait] >= 200, (trait, counts[trait])


def test_every_kind_of_machine_is_visited():
    """Dataflow, compressed operand, overlap and the way values come or leave, in every combination that differs."""
    seen = Counter(
        (
            case.mapping.dataflow,
            case.compressed,
            case.machine.overlapped,
            case.machine.drain if case.mapping.dataflow == "os" else case.machine.stationary_load,
        )
        for case in map(random_case, range(2000))
    )
    assert len(seen) == 3 * 3 * 2 * 2
    assert min(seen.values()) >= 10


# Mutations of the closed forms -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mutant:
    """The source of the closed forms with one thing changed."""

    name: str
    module: ModuleType
    source: str


_WIRE = "output_stationary_fold: {} in `drain = interleave * array.rows if array.shifted_drain else 0 * interleave` #2"
_BATCH = "weight_stationary_fold: {} in `batch = choose(slots == 1, 1, np.minimum(interleave, moving))`"
_NO_DRAIN = "a wire drains in 0 * interleave cycles; the factor is there for its shape only"
_ONE_SLOT = (
    "with one slot every batch length gives the same: beats = (slots - 1) * ... + moving = moving and the row delay is "
    "(slots - 1) * spacing + L = L; that I = 1 then is a fact of the PE, not of the cycles"
)
_SETTING = "it only tells settings apart, and is off by one in every tile"
_NO_HOLD = "nothing but the folds is in the way: 0, or 1, is below any interval"
_WEIGHT = "return Handover(folds * period, 0, 0, resident, spacing)"
_OUTPUT = (
    "return Handover(folds * period, (folds - 1) * period + issue - interleave + drain, issue - interleave, "
    "on_rows, on_cols)"
)
_TOLD_APART = (
    ("output_stationary_handover", _OUTPUT, ("on_rows", "on_cols")),
    ("weight_stationary_handover", _WEIGHT, ("resident", "spacing")),
    ("weight_stationary_fold", "return (beats, (array.rows - 1) * row_delay, spacing)", ("spacing",)),
)
EQUIVALENT = {
    _WIRE.format("interleave -> (interleave + 1)"): _NO_DRAIN,
    _WIRE.format("interleave -> (interleave - 1)"): _NO_DRAIN,
    _BATCH.format("1 -> (1 + 1)") + " #2": _ONE_SLOT,
    _BATCH.format("1 -> (1 - 1)") + " #2": _ONE_SLOT,
    **{
        f"{place}: {name} -> ({name} {change}) in `{statement}`": _SETTING
        for place, statement, names in _TOLD_APART
        for name in names
        for change in ("+ 1", "- 1")
    },
    **{
        f"weight_stationary_handover: 0 -> (0 {change}) in `{_WEIGHT}`{number}": _NO_HOLD
        for change in ("+ 1", "- 1")
        for number in ("", " #2")
    },
}
"""Mutants that no case can tell apart, and why."""

TILES_THAT_WAIT_FOR_REGISTERS = (12, 32, 52, 100, 160, 184, 300, 360, 464, 472, 660, 788, 852, 964, 1528)
"""Seeds of tiles of which one enters later than a fold would, because result registers are not free."""

NOT_COUNTS = {"array", "np", "pattern", "own", "Count", "Counts"}


def _functions_behind(module: ast.Module, names: set[str]) -> list[ast.FunctionDef]:
    """The functions that these call, and those that they call."""
    functions = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}
    wanted, found = list(names), {}
    while wanted:
        name = wanted.pop()
        if name in functions and name not in found:
            found[name] = functions[name]
            wanted += [node.id for node in ast.walk(functions[name]) if isinstance(node, ast.Name)]
    return [found[name] for name in sorted(found)]


def _terms(function: ast.FunctionDef) -> list[ast.expr]:
    """Every count that a function reads or names: integers, names and fields, in the order of the source."""
    body = [
        statement
        for statement in function.body
        if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
    ]
    nodes = [node for statement in body for node in ast.walk(statement)]
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    compared_texts = {
        id(side)
        for node in nodes
        if isinstance(node, ast.Compare)
        for side in (node.left, *node.comparators)
        if any(isinstance(other, ast.Constant) and isinstance(other.value, str) for other in node.comparators)
    }
    tests = {id(node.test) for node in nodes if isinstance(node, ast.If | ast.IfExp)}
    terms = []
    for node in nodes:
        if id(node) in called | compared_texts | tests:
            continue
        is_integer = isinstance(node, ast.Constant) and isinstance(node.value, int)
        is_name = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in NOT_COUNTS
        is_field = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id != "np"
        if is_integer or is_name or is_field:
            terms.append(node)
    return sorted(terms, key=lambda node: (node.lineno, node.col_offset))


ROOTS = {
    tensor_engine: {
        *("output_stationary_cycles", "weight_stationary_cycles"),
        *("output_stationary_handover", "weight_stationary_handover", "cycles_to_next"),
    },
    pattern_module: {"kept_in_groups", "groups_in"},
}
"""Closed forms whose terms are changed, by the module that they stand in."""


def _mutants() -> list[Mutant]:
    return [mutant for module in ROOTS for mutant in _mutants_of(module)]


def _mutants_of(changed: ModuleType) -> list[Mutant]:
    source = inspect.getsource(changed)
    lines = source.splitlines(keepends=True)
    starts = np.cumsum([0, *(len(line.encode()) for line in lines)])
    encoded = source.encode()
    found: list[Mutant] = []
    names: Counter[str] = Counter()

    def add(node: ast.expr, function: str, statement: str, replacement: str) -> None:
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        name = f"{function}: {ast.unparse(node)} -> {replacement} in `{statement}`"
        names[name] += 1
        if names[name] > 1:
            name += f" #{names[name]}"
        found.append(Mutant(name, changed, (encoded[:begin] + replacement.encode() + encoded[end:]).decode()))

    module = ast.parse(source)
    for function in _functions_behind(module, ROOTS[changed]):
        statements = {
            id(node): ast.unparse(statement).splitlines()[0]
            for statement in ast.walk(function)
            if isinstance(statement, ast.stmt)
            for node in ast.walk(statement)
        }
        for term in _terms(function):
            text = ast.unparse(term)
            for change in ("+ 1", "- 1"):
                add(term, function.name, statements[id(term)], f"({text} {change})")
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute) and node.attr in ("maximum", "minimum"):
                other = "np.minimum" if node.attr == "maximum" else "np.maximum"
                add(node, function.name, statements[id(node)], other)
    return found


@pytest.fixture(scope="module")
def observed():
    """150 cases with the cycles that the machine took, and 60 of tiles in a row with when each began as well."""
    alone = [(case, case.run().cycles) for case in map(random_case, range(150))]
    rows = [(tiles, tiles.run()) for tiles in map(random_tiles, (*range(1, 45), *TILES_THAT_WAIT_FOR_REGISTERS))]
    return alone + [(tiles, ([*run.begins], run.cycles)) for tiles, run in rows]


@pytest.mark.parametrize("mutant", _mutants(), ids=lambda mutant: mutant.name)
def test_a_closed_form_that_is_off_by_one_is_found_out(mutant, observed, monkeypatch):
    namespace = {"__name__": mutant.module.__name__, "__package__": mutant.module.__package__}
    exec(compile(mutant.source, mutant.name, "exec"), namespace)
    if mutant.module is pattern_module:
        for name in ROOTS[pattern_module]:
            monkeypatch.setattr(pattern_module, name, namespace[name])
    else:
        for user in (agreement, output_stationary_dataflow, weight_stationary_dataflow):
            monkeypatch.setattr(user, "tensor_engine", SimpleNamespace(**namespace))

    def differs(case, cycles):
        try:
            with np.errstate(all="ignore"):
                found = agreement.closed_form_begins if isinstance(case, TilesCase) else agreement.closed_form_cycles
                return found(case) != cycles
        except ArithmeticError:
            return True

    found_out = any(differs(case, cycles) for case, cycles in observed)
    if mutant.name in EQUIVALENT:
        assert not found_out, f"{mutant.name} is listed as equivalent and is not"
    else:
        assert found_out, f"{mutant.name} went unnoticed: add cases, or list it with the reason why none can tell"


def test_no_equivalent_mutant_is_named_in_vain():
    assert set(EQUIVALENT) <= {mutant.name for mutant in _mutants()}
