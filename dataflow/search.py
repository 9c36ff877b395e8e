"""The mapping search: the best of every legal mapping in the ladder, found without timing each one exactly.

Best first. Every tile has a floor on each side (dataflow and operands' roles): what no array mapping and no loop order
beats, from a few numbers a GEMM axis on the array and a few a pair of axes in memory. Tiles are looked at in the order
of their floors: under every array mapping and distinct loop order each gets a bound (compute on one side, DRAM on the
other; what neither can hide added), and those whose bound is not above the best value found are timed exactly. When no
floor is at or below that value, the answer equals that of timing all of them. For time, what is hardly slower than the
fastest is as good (see ``objective``), and the one of these that takes the least energy is chosen: again the lowest
bounds first.

Products that differ in their sizes alone are searched side by side (see ``gemm_batch``), each as if it were alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..accel.specification import Hardware
from ..configs.errors import MappingError
from .design_view import DesignView
from .gemm import Gemm, Operand
from .gemm_batch import batches_of
from .holding import least_bytes
from .mapping import LOOP_ORDERS, Mapping, array_mappings
from .objective import TIME, Objective
from .search_rounds import best_of_each
from .search_sides import Side, sides_of_products
from .tile_grid import TileGrid

_AT_ONCE = 32
"""Products that are searched side by side at most: their tiles' floors are as many as a cache holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The mapping found, and how hard the search looked.

    Attributes:
        mapping: the best mapping.
        value: of the objective.
        cycles: its time, all repetitions of the product.
        joules: its energy, all repetitions, whether that is minimised or only decides between the fastest.
        moved_bytes: between DRAM and chip, all repetitions.
        candidates: legal mappings considered.
        timed_exactly: of those, the ones whose bound did not rule them out.
    """

    mapping: Mapping
    value: float
    cycles: int
    joules: float
    moved_bytes: int
    candidates: int
    timed_exactly: int


def best_mapping(
    gemm: Gemm,
    hardware: Hardware,
    *,
    objective: Objective = TIME,
    dataflows: tuple[str, ...] | None = None,
    interleave: bool = True,
) -> Choice:
    """Find the best mapping of a product.

    Args:
        gemm: the product.
        hardware: the design.
        objective: what is minimised.
        dataflows: only these dataflows; all that the design offers when None.
        interleave: whether a PE may turn between accumulations.

    Raises:
        MappingError: the design lacks the pattern, or no tile fits its buffers.
    """
    (found,) = best_mappings([gemm], hardware, objective=objective, dataflows=dataflows, interleave=interleave)
    if isinstance(found, MappingError):
        raise found
    return found


def best_mappings(
    gemms: Sequence[Gemm],
    hardware: Hardware,
    *,
    objective: Objective = TIME,
    dataflows: tuple[str, ...] | None = None,
    interleave: bool = True,
) -> list[Choice | MappingError]:
    """Find the best mapping of each of some products, or why it has none; arguments as for ``best_mapping``."""
    found: list[Choice | MappingError | None] = [None] * len(gemms)
    for numbers in batches_of(gemms, _AT_ONCE):
        batch = [gemms[number] for number in numbers]
        try:
            mappings = array_mappings(hardware.tensor_engine, batch[0], dataflows, interleave=interleave)
        except MappingError as error:
            for number, gemm in zip(numbers, batch, strict=True):
                found[number] = MappingError(str(error).replace(batch[0].name, gemm.name, 1), field=error.field)
            continue
        sides = list(sides_of_products(batch, hardware, objective, mappings, interleave=interleave))
        choices = _choices(batch, sides) if sides else {}
        for at, number in enumerate(numbers):
            found[number] = choices.get(at) or _no_tile_fits(batch[at], hardware, mappings[0].west)
    return [each for each in found if each is not None]


def _choices(gemms: Sequence[Gemm], sides: Sequence[Side]) -> dict[int, Choice]:
    """The best mappings of products of a batch, by number; of those that have any."""
    best, timed = best_of_each(sides)
    legal = np.sum([side.candidates for side in sides], axis=0)
    sizes = [axis.size[:, 0].tolist() for axis in sides[0].pairs.sizes(best.tile)]
    found = {}
    for at, product in enumerate(best.product.tolist()):
        gemm = gemms[product]
        m, n, k = (each[at] for each in sizes)
        found[product] = Choice(
            mapping=Mapping(
                array=sides[best.side[at]].mappings[best.mapping[at]],
                tile_m=m,
                tile_n=n,
                tile_k=k,
                order=LOOP_ORDERS[best.order[at]],
                form=gemm.form,
            ),
            value=float(best.value[at]),
            cycles=int(best.cycles[at]),
            joules=float(best.joules[at]),
            moved_bytes=int(gemm.own_part(gemm.count * int(best.moved_bytes[at]))),
            candidates=int(legal[product]),
            # What is looked at for its time, and again for its energy, was timed twice.
            timed_exactly=min(int(timed[product]), int(legal[product])),
        )
    return found


def _no_tile_fits(gemm: Gemm, hardware: Hardware, west: Operand) -> MappingError:
    grid, room, buffers = TileGrid.ladder(gemm, hardware), DesignView.of(hardware).room, hardware.buffers
    least = {place: int(least_bytes(grid.held[place], gemm, room).min()) for place in grid.held}
    sides = {"west": west, "north": "b" if west == "a" else "a", "output": "c"}
    needed = {side: least[place] for side, place in sides.items()}  # type: ignore[index]
    short = {
        f"buffers.{side}.capacity_bytes": f"got {have.capacity_bytes}, need at least {needed[side]}"
        for side, have in buffers.by_side.items()
        if needed[side] > have.capacity_bytes
    }
    told = "; ".join(f"{field}: {reason}" for field, reason in short.items())
    reason = told or "buffers too small for the smallest tile of all three operands together"
    return MappingError(
        f"{hardware.name}: no tile of {gemm.name} fits: {reason}; try a larger buffer",
        field=next(iter(short), "buffers"),
    )
