"""A mapping: everything that the scheduler decides about one product. And the array mappings that a design offers.

Sides: under OS operand A lies along the rows and enters from the west, unless swapped; under WS operand B is
stationary and loaded from the north while A streams in from the west; IS is WS with the operands' roles exchanged.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from ..accel.specification import Dataflow, TensorEngine
from ..configs.errors import MappingError
from .gemm import Gemm, Operand

LOOP_ORDERS: tuple[str, ...] = tuple("".join(order) for order in itertools.permutations("mnk"))
"""The six block loop orders, outermost first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayMapping:
    """How a tile is laid on the array.

    Attributes:
        dataflow: ``os``, ``ws`` or ``is``.
        swapped: OS with n along the rows, operand B in the west.
        interleave_m: Im, outputs a PE turns between along the rows' dimension (OS).
        interleave_n: In, along the columns' dimension (OS).
        resident_groups: g, groups of the stationary operand a PE holds (WS, IS); dense values count as groups of one.
        interleave: I, streamed vectors a PE turns between (WS, IS).
    """

    dataflow: Dataflow
    swapped: bool = False
    interleave_m: int = 1
    interleave_n: int = 1
    resident_groups: int = 1
    interleave: int = 1

    @property
    def west(self) -> Operand:
        """The operand in the west buffer."""
        return "b" if self.swapped or self.dataflow == "is" else "a"

    def __str__(self) -> str:
        name = self.dataflow.upper() + (" swapped" if self.swapped else "")
        if self.dataflow == "os":
            return f"{name}, interleave {self.interleave_m}x{self.interleave_n}"
        return f"{name}, {self.resident_groups} resident, interleave {self.interleave}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """The whole decision for one product.

    Attributes:
        array: how a tile is laid on the array.
        tile_m: rows of a full tile.
        tile_n: columns of a full tile.
        tile_k: depth of a full tile.
        order: block loop order, outermost first, such as ``mnk``.

    >>> array = ArrayMapping(dataflow="os", interleave_m=4, interleave_n=2)
    >>> print(Mapping(array=array, tile_m=64, tile_n=32, tile_k=256, order="mnk"))
    OS, interleave 4x2, tile 64x32x256, loops mnk
    """

    array: ArrayMapping
    tile_m: int
    tile_n: int
    tile_k: int
    order: str

    def __str__(self) -> str:
        return f"{self.array}, tile {self.tile_m}x{self.tile_n}x{self.tile_k}, loops {self.order}"


def compressed_side_allowed(engine: TensorEngine, dataflow: Dataflow, *, swapped: bool, compressed: Operand) -> bool:
    """Whether the PEs can select for this operand in this place."""
    match dataflow:
        case "os":
            in_north = (compressed == "b") != swapped
            return in_north or engine.compressed_west
        case "ws":
            return compressed == "b" or engine.compressed_moving
        case "is":
            return compressed == "a" or engine.compressed_moving


def array_mappings(
    engine: TensorEngine, gemm: Gemm, dataflows: tuple[Dataflow, ...] | None = None, *, interleave: bool = True
) -> tuple[ArrayMapping, ...]:
    """Every array mapping worth trying for a product on this engine.

    Under WS and IS an interleave below the accumulate latency is left out: with s = max(I, L) it makes the same
    steps in more batches, so min(L, D) is never slower.

    Without interleave a PE works on one accumulation at a time: every interleave is 1, and what it holds resident
    under WS and IS stays free.

    Args:
        engine: the tensor engine.
        gemm: the product.
        dataflows: only these; all that the engine offers when None.
        interleave: whether a PE may turn between accumulations.

    Raises:
        MappingError: the engine lacks the pattern, or has no dataflow that can take the compressed operand.
    """
    if not engine.supports(gemm.pattern):
        offered = ", ".join(engine.patterns) or "dense only"
        raise MappingError(
            f"{gemm.name}: got sparsity {gemm.pattern}, need one that the tensor engine has: {offered}",
            field="tensor_engine.patterns",
        )
    wanted = tuple(d for d in engine.dataflows if dataflows is None or d in dataflows)
    if not wanted:
        asked, offered = ", ".join(dataflows or ()), ", ".join(engine.dataflows)
        raise MappingError(
            f"{gemm.name}: got dataflow {asked}, need one that the tensor engine has: {offered}",
            field="tensor_engine.dataflows",
        )
    offered_by = (_of_dataflow(engine, gemm, dataflow, interleave=interleave) for dataflow in wanted)
    found = tuple(itertools.chain.from_iterable(offered_by))
    if not found:
        raise MappingError(
            f"{gemm.name}: got operand {gemm.compressed} compressed {gemm.pattern}, need a dataflow that can select "
            f"for it and a register_depth that holds a group; this engine offers {', '.join(wanted)} "
            f"with register_depth {engine.register_depth}"
        )
    return found


def _of_dataflow(engine: TensorEngine, gemm: Gemm, dataflow: Dataflow, *, interleave: bool) -> Iterator[ArrayMapping]:
    depth = engine.register_depth
    most = depth if interleave else 1
    if dataflow == "os":
        for swapped in (False, True) if engine.swap_operands else (False,):
            if gemm.compressed and not compressed_side_allowed(
                engine, "os", swapped=swapped, compressed=gemm.compressed
            ):
                continue
            for interleave_m in range(1, most + 1):
                for interleave_n in range(1, most // interleave_m + 1):
                    yield ArrayMapping(
                        dataflow="os", swapped=swapped, interleave_m=interleave_m, interleave_n=interleave_n
                    )
        return
    if gemm.compressed and not compressed_side_allowed(engine, dataflow, swapped=False, compressed=gemm.compressed):
        return
    slots, values = stationary_group(gemm, dataflow)
    for groups in range(1, depth // values + 1):
        alone = groups * slots == 1
        for turns in (1,) if alone else range(min(engine.accumulate_latency, most), most + 1):
            yield ArrayMapping(dataflow=dataflow, resident_groups=groups, interleave=turns)


def stationary_group(gemm: Gemm, dataflow: Dataflow) -> tuple[int, int]:
    """Slots and stationary values of a group under WS or IS: (1, 1) dense, (N, N) or (N, M) compressed."""
    if gemm.compressed is None:
        return 1, 1
    stationary: Operand = "b" if dataflow == "ws" else "a"
    pattern = gemm.pattern
    return pattern.kept, pattern.kept if gemm.compressed == stationary else pattern.group
