"""The mapping search compiled, on one design or many: what ``search.best_mapping`` finds, for time.

Compiled where numba is installed (see ``compiled``) and the dataflows are said in plain formulas. Loading what is
compiled takes as long as a hundred searches or more, compiling it as long as some thousands: a process does either once
it has searched that often, and has the kernels find again what it found last before it relies on them.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count

import numpy as np

from ..accel.specification import Hardware, load_hardware
from ..configs.arrays import IntArray
from ..configs.errors import MappingError
from ..training.graph import Stage
from . import objective as objectives
from .compiled import case, numba_build, tables
from .compiled.kernel import Kernel
from .dataflows.formulas import Grouping
from .dataflows.tile import Sparsity
from .design_table import DesignTable
from .gemm import AXES, Gemm
from .ladders import OF_LADDER
from .mapping import LOOP_ORDERS, ArrayMapping, Mapping, Side, sides_of
from .objective import NEVER, TIME, Objective
from .search import Choice, best_mappings
from .side_mappings import OF_TIMING, SideMappings, timing_of_each
from .tile_pairs import TilePairs
from .tiling import AxisTiles, ladders_along

PATIENCE, MORE_PATIENCE = 150, 4000
"""Searches after which a process loads what is compiled, and after which it has it compiled."""


_MOST_MACS = 1 << 56
"""Products of more multiply-accumulates are left to numpy: bits of their registers are no number of 64 bits."""


def fastest_mappings(
    gemms: Sequence[Gemm],
    hardware: Hardware,
    *,
    objective: Objective = TIME,
    dataflows: tuple[str, ...] | None = None,
    interleave: bool = True,
) -> list[Choice | MappingError]:
    """Find the best mapping of each of some products on one design for time; as ``search.best_mappings``."""
    found: dict[int, Choice | MappingError] = {}
    if is_ready(len(gemms)):
        for number, gemm in enumerate(gemms):
            choice = _kernels_choice(gemm, hardware, objective, dataflows, interleave)
            if choice is not None:
                found[number] = choice
    left = [number for number in range(len(gemms)) if number not in found]
    asked = [gemms[number] for number in left]
    others = best_mappings(asked, hardware, objective=objective, dataflows=dataflows, interleave=interleave)
    for gemm, each in zip(asked, others, strict=True):
        if isinstance(each, Choice):
            _found_before.append((gemm, hardware, objective, dataflows, interleave, each))
    found.update(zip(left, others, strict=True))
    return [found[number] for number in range(len(gemms))]


def _kernels_choice(
    gemm: Gemm, hardware: Hardware, objective: Objective, dataflows: tuple[str, ...] | None, interleave: bool
) -> Choice | None:
    """What the kernels find, where they are there and may be relied on."""
    if not hardware.tensor_engine.supports(gemm.pattern):
        return None
    if next(_alone) > MORE_PATIENCE:
        build()
    if not (numba_build.is_built() and _finds_again()):
        return None
    return compiled_choice(gemm, hardware, objective=objective, dataflows=dataflows, interleave=interleave)


def is_ready(searches: int) -> bool:
    """Whether a process has searched so often, with so many searches more, that what is compiled is worth loading."""
    foresee(searches)
    return _searched[-1] > PATIENCE


def foresee(searches: int) -> None:
    """Count searches that a process knows it will be asked for, so that it loads what is compiled the sooner."""
    _searched.append(_searched[-1] + searches)


_searched: deque[int] = deque([0], maxlen=1)
"""How often this process was asked to search, so far."""

_alone = count(1)
"""Searches on single designs since then."""

_found_before: deque[tuple[Gemm, Hardware, Objective, tuple[str, ...] | None, bool, Choice]] = deque(maxlen=12)
"""What was searched for last, and found, without the kernels."""


@cache
def _finds_again() -> bool:
    """Whether the kernels find what was found without them: machine code of another process is not taken on trust."""
    for gemm, hardware, objective, dataflows, interleave, before in _found_before:
        found = compiled_choice(gemm, hardware, objective=objective, dataflows=dataflows, interleave=interleave)
        if found is not None and _told(found) != _told(before):
            logging.getLogger("bisparse").warning(
                "the compiled mapping search finds %s where %s is right: not used", _told(found), _told(before)
            )
            return False
    return True


def _told(choice: Choice) -> tuple[object, ...]:
    return str(choice.mapping), choice.cycles, choice.joules, choice.moved_bytes, choice.candidates


def is_lacking() -> bool:
    """Whether there is a compiler that has not done its work on this machine."""
    return numba_build.is_installed() and not numba_build.is_built()


@cache
def build() -> None:
    """Have the compiler do its work now, where it has not on this machine: it takes half a minute or more."""
    if is_lacking():
        sat = load_hardware("sat-vcu1525").model
        any_product = Gemm(name="any", operator="any", stage=Stage.FORWARD, m=8, n=8, k=8)
        numba_build.build_once(lambda: compiled_choice(any_product, sat))


def compiled_choice(
    gemm: Gemm,
    hardware: Hardware,
    *,
    objective: Objective = TIME,
    dataflows: tuple[str, ...] | None = None,
    interleave: bool = True,
) -> Choice | None:
    """What the kernels find; None where they find nothing, or where a dataflow is not said in plain formulas."""
    sides = sides_of(hardware.tensor_engine, gemm, dataflows)
    one = np.zeros(1, dtype=np.int64)
    table = DesignTable(designs=[hardware], energy=objective.prices)
    found = search(gemm, table, one, sides, interleave=interleave, counted=True)
    return None if found is None or found.best[0]["cycles"] >= NEVER else _choice(gemm, found)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the kernels found on some designs, [S].

    Attributes:
        pairs: all combinations of tile sizes.
        ladder: of these that each design has.
        sides: that they offer.
        parameters: [P, A] of the array mappings of each side.
        best: ``BEST``.
    """

    pairs: TilePairs
    ladder: IntArray
    sides: tuple[Side, ...]
    parameters: list[IntArray]
    best: case.Records

    def axes(self, rows: IntArray) -> tuple[AxisTiles, AxisTiles, AxisTiles]:
        """The tiles along m, n and k on some of the designs."""
        combinations = int(np.prod(self.pairs.shape[1:]))
        return self.pairs.sizes(self.ladder[rows] * combinations + self.best["tile"][rows])

    def numbers(self, rows: IntArray) -> IntArray:
        """[P, K] of the array mappings on some of the designs; 1 beyond those that a dataflow has."""
        found = np.ones((max((len(each) for each in self.parameters), default=0), len(rows)), dtype=np.int64)
        for number, parameters in enumerate(self.parameters):
            own = np.flatnonzero(self.best["side"][rows] == number)
            found[: len(parameters), own] = parameters[:, self.best["mapping"][rows[own]]]
        return found


def search(
    gemm: Gemm, table: DesignTable, index: IntArray, sides: tuple[Side, ...], *, interleave: bool, counted: bool
) -> Found | None:
    """What the kernels find on designs of a table; None where they cannot be asked: see ``compiled``, or too large.

    Args:
        gemm: the product.
        table: the designs.
        index: which of them.
        sides: that they offer.
        interleave: whether a PE may turn between accumulations.
        counted: whether candidates are counted.
    """
    if any(side.lying.in_formulas is None for side in sides) or gemm.issued_macs > _MOST_MACS:
        return None
    pairs, ladder = _ladders(gemm, table, index)
    told, product = tables.tables_of(pairs), tables.product_of(pairs)
    designs = tables.designs_of(gemm, table, index, ladder, interleave=interleave)
    best = np.zeros(len(index), dtype=case.BEST)
    best["cycles"], best["moved"], best["joules"] = NEVER, NEVER, np.inf
    first, _ = table.alike(OF_TIMING, index)
    arrays = timing_of_each(table, first)
    asked, parameters = [], []
    for number, side in enumerate(sides):
        mappings = SideMappings.of(gemm, side, arrays, interleave=interleave)
        parameters.append(mappings.parameters)
        if not mappings.parameters.shape[1]:
            continue
        kernel, grouping, exchanged = _kernel(gemm, table.first, side)
        one = case.Case(
            product=product,
            tables=told,
            kind=tables.kind_of(table, number, exchanged=exchanged, alike=objectives.ALIKE, counted=counted),
            grouping=grouping,
            designs=designs,
            parameters=np.array(mappings.parameters, order="C"),
            legal=np.array(np.broadcast_to(mappings.legal(table, index), (len(index), mappings.parameters.shape[1]))),
            tile=np.zeros(1, dtype=case.TILE),
        )
        possible = np.empty((len(index), int(np.prod(pairs.shape[1:]))), dtype=np.int64)
        kept, least = np.empty(possible.shape, dtype=np.int16), np.empty(possible.shape)
        kernel.fastest(one, best, possible, kept, least, best)
        asked.append((kernel, one, possible, kept, least))
    fastest = best.copy()
    for kernel, one, *tiles in asked:
        kernel.thriftiest(one, best, *tiles, fastest)
    return Found(pairs=pairs, ladder=ladder, sides=sides, parameters=parameters, best=best)


def _ladders(gemm: Gemm, table: DesignTable, index: IntArray) -> tuple[TilePairs, IntArray]:
    """All combinations of tile sizes that designs try, and which ladder of them each has."""
    unit = np.minimum(table.numbers["rows"], table.numbers["cols"])
    first, ladder = table.alike(OF_LADDER, index, unit[index])
    view = table.view(first)
    m, n, k = (ladders_along(gemm, axis, unit[first].tolist(), patch_expansion=view.patch_expansion) for axis in AXES)
    return TilePairs(gemm=gemm, design=view, axes=(m, n, k)), ladder


def _kernel(gemm: Gemm, hardware: Hardware, side: Side) -> tuple[Kernel, Grouping, bool]:
    """The kernel of a side, how groups lie there, and whether operands change places."""
    told = side.lying.in_formulas
    assert told is not None, "all sides compile"
    plain, exchanged = told
    sparsity = Sparsity.of(gemm)
    grouping = plain.grouping(hardware.tensor_engine.timing, sparsity.exchanged if exchanged else sparsity)
    return numba_build.compiled(plain.formulas), grouping, exchanged


def _choice(gemm: Gemm, found: Found) -> Choice:
    row, best = np.zeros(1, dtype=np.int64), found.best[0]
    side = found.sides[int(best["side"])]
    numbers = {name: int(each[0]) for name, each in side.lying.named(found.numbers(row)).items()}
    m, n, k = (int(axis.size[0, 0]) for axis in found.axes(row))
    cycles, legal = int(best["cycles"]), int(best["candidates"])
    return Choice(
        mapping=Mapping(
            array=ArrayMapping.on(side, numbers),
            tile_m=m,
            tile_n=n,
            tile_k=k,
            order=LOOP_ORDERS[int(best["order"])],
            form=gemm.form,
        ),
        value=float(cycles),
        cycles=cycles,
        joules=float(best["joules"]),
        moved_bytes=int(gemm.own_part(gemm.count * int(best["moved"]))),
        candidates=legal,
        timed_exactly=legal,
    )
