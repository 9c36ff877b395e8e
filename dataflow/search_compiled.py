"""The mapping search on one design, compiled where that is quicker: what ``search.best_mapping`` finds, for time.

Compiled where numba is installed (see ``compiled``) and the dataflows are said in plain formulas. Loading what is
compiled takes as long as a hundred searches, compiling it as long as some thousands: a process does either once it has
searched that often, and has the kernels find again what it found last before it relies on them.
"""

from __future__ import annotations

import logging
from collections import deque
from functools import cache
from itertools import count

import numpy as np

from ..accel.specification import Hardware, load_hardware
from ..configs.arrays import IntArray
from ..training.graph import Stage
from . import objective
from .compiled import case, numba_build, tables
from .compiled.kernel import Kernel
from .dataflows.formulas import Grouping
from .dataflows.tile import Sparsity
from .design_table import DesignTable
from .gemm import Gemm
from .mapping import LOOP_ORDERS, ArrayMapping, Mapping, Side, sides_of
from .objective import NEVER
from .search import Choice, best_mapping
from .side_mappings import SideMappings, timing_of_each
from .tile_pairs import TilePairs

PATIENCE, MORE_PATIENCE = 100, 4000
"""Searches after which a process loads what is compiled, and after which it has it compiled."""

_searches = count(1)


def fastest_mapping(
    gemm: Gemm, hardware: Hardware, *, dataflows: tuple[str, ...] | None = None, interleave: bool = True
) -> Choice:
    """Find the fastest mapping of a product on one design; as ``search.best_mapping``.

    Raises:
        MappingError: the design lacks the pattern, or no tile fits its buffers.
    """
    searches = next(_searches)
    if searches > PATIENCE and hardware.tensor_engine.supports(gemm.pattern):
        if searches > MORE_PATIENCE:
            build()
        if numba_build.is_built() and _finds_again():
            found = compiled_choice(gemm, hardware, dataflows=dataflows, interleave=interleave)
            if found is not None:
                return found
    choice = best_mapping(gemm, hardware, dataflows=dataflows, interleave=interleave)
    _found_before.append((gemm, hardware, dataflows, interleave, choice))
    return choice


_found_before: deque[tuple[Gemm, Hardware, tuple[str, ...] | None, bool, Choice]] = deque(maxlen=12)
"""What was searched for last, and found, without the kernels."""


@cache
def _finds_again() -> bool:
    """Whether the kernels find what was found without them: machine code of another process is not taken on trust."""
    for gemm, hardware, dataflows, interleave, before in _found_before:
        found = compiled_choice(gemm, hardware, dataflows=dataflows, interleave=interleave)
        if found is not None and _told(found) != _told(before):
            logging.getLogger("bisparse").warning(
                "the compiled mapping search finds %s where %s is right: not used", _told(found), _told(before)
            )
            return False
    return True


def _told(choice: Choice) -> tuple[object, ...]:
    return str(choice.mapping), choice.cycles, choice.moved_bytes, choice.candidates


@cache
def build() -> None:
    """Have the compiler do its work now, where it has not on this machine: it takes half a minute or more."""
    if numba_build.is_installed() and not numba_build.is_built():
        sat = load_hardware("sat-vcu1525").model
        any_product = Gemm(name="any", operator="any", stage=Stage.FORWARD, m=8, n=8, k=8)
        numba_build.build_once(lambda: compiled_choice(any_product, sat))


def compiled_choice(
    gemm: Gemm, hardware: Hardware, *, dataflows: tuple[str, ...] | None = None, interleave: bool = True
) -> Choice | None:
    """What the kernels find; None where they find nothing, or where a dataflow is not said in plain formulas."""
    sides = sides_of(hardware.tensor_engine, gemm, dataflows)
    if any(side.lying.in_formulas is None for side in sides):
        return None
    table, index = DesignTable(designs=[hardware]), np.zeros(1, dtype=np.int64)
    pairs = TilePairs.of_design(gemm, hardware)
    told, product = tables.tables_of(pairs), tables.product_of(pairs)
    designs = tables.designs_of(table, index, index, interleave=interleave)
    best = np.zeros(1, dtype=case.BEST)
    best["cycles"] = best["moved"] = NEVER
    asked, parameters = [], {}
    for number, side in enumerate(sides):
        mappings = SideMappings.of(gemm, side, timing_of_each(table, index), interleave=interleave)
        parameters[number] = mappings.parameters
        if not mappings.parameters.shape[1]:
            continue
        kernel, grouping, exchanged = _kernel(gemm, hardware, side)
        one = case.Case(
            product=product,
            tables=told,
            kind=tables.kind_of(table, number, exchanged=exchanged, alike=objective.ALIKE),
            grouping=grouping,
            designs=designs,
            parameters=np.array(mappings.parameters, order="C"),
            legal=np.array(mappings.legal(table, index), order="C"),
            tile=np.zeros(1, dtype=case.TILE),
        )
        possible = np.zeros((1, int(np.prod(pairs.shape[1:]))), dtype=bool)
        kernel.fastest(one, best, possible, best)
        asked.append((kernel, one, possible))
    fastest = best.copy()
    for kernel, one, possible in asked:
        kernel.thriftiest(one, best, possible, fastest)
    found = best[0]
    return None if found["cycles"] >= NEVER else _choice(gemm, pairs, sides, parameters, found)


def _kernel(gemm: Gemm, hardware: Hardware, side: Side) -> tuple[Kernel, Grouping, bool]:
    """The kernel of a side, how groups lie there, and whether operands change places."""
    told = side.lying.in_formulas
    assert told is not None, "all sides compile"
    plain, exchanged = told
    sparsity = Sparsity.of(gemm)
    grouping = plain.grouping(hardware.tensor_engine.timing, sparsity.exchanged if exchanged else sparsity)
    return numba_build.compiled(plain.formulas), grouping, exchanged


def _choice(
    gemm: Gemm, pairs: TilePairs, sides: tuple[Side, ...], parameters: dict[int, IntArray], found: case.Record
) -> Choice:
    number, mapping = int(found["side"]), int(found["mapping"])
    numbers = {name: int(each) for name, each in sides[number].lying.named(parameters[number][:, mapping]).items()}
    m, n, k = (int(axis.size[0, 0]) for axis in pairs.sizes(np.array([found["tile"]])))
    cycles, legal = int(found["cycles"]), int(found["candidates"])
    return Choice(
        mapping=Mapping(
            array=ArrayMapping.on(sides[number], numbers),
            tile_m=m,
            tile_n=n,
            tile_k=k,
            order=LOOP_ORDERS[int(found["order"])],
            form=gemm.form,
        ),
        value=float(cycles),
        cycles=cycles,
        moved_bytes=int(gemm.own_part(gemm.count * int(found["moved"]))),
        candidates=legal,
        timed_exactly=legal,
    )
