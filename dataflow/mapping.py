"""A mapping: everything that the scheduler decides about one product. And the array mappings that a design offers.

How a tile lies on the array is its dataflow's business (``dataflow.dataflows``); here are its name, the side and the
numbers that tell one lying from another.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from functools import lru_cache

from ..accel.specification import TensorEngine
from ..accel.tensor_engine import ArrayTiming
from ..configs.errors import MappingError
from ..configs.operand_format import OperandFormat
from ..configs.pattern import Pattern
from .dataflows import dataflow_named
from .dataflows.dataflow import Dataflow
from .dataflows.tile import Sparsity
from .gemm import OPERANDS, PLAIN, Form, Gemm, Operand

LOOP_ORDERS: tuple[str, ...] = tuple("".join(order) for order in itertools.permutations("mnk"))
"""The six block loop orders, outermost first."""

SHARED_NUMBERS = ("interleave_m", "interleave_n", "resident_groups", "interleave")
"""Numbers of array mappings that have a field each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A dataflow and how it lies: the mappings of a side share ports and formulas, and differ in numbers only.

    Attributes:
        dataflow: its name.
        swapped: whether the operands' roles are exchanged.
    """

    dataflow: str
    swapped: bool = False

    @property
    def lying(self) -> Dataflow:
        """The dataflow as it lies here.

        Raises:
            ConfigError: there is none of this name.
        """
        return dataflow_named(self.dataflow).lying(swapped=self.swapped)

    @property
    def west(self) -> Operand:
        """The operand in the west buffer."""
        return self.lying.west


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayMapping:
    """How a tile is laid on the array.

    Attributes:
        dataflow: its name.
        swapped: whether the operands' roles are exchanged: of OS, n along the rows and operand B in the west.
        interleave_m: Im, outputs a PE turns between along the rows' dimension (OS).
        interleave_n: In, along the columns' dimension (OS).
        resident_groups: g, groups of the stationary operand a PE holds (WS, IS); dense values count as groups of one.
        interleave: I, streamed vectors a PE turns between (WS, IS).
        own: numbers that a dataflow names itself, by name, in the order of its parameters.
    """

    dataflow: str
    swapped: bool = False
    interleave_m: int = 1
    interleave_n: int = 1
    resident_groups: int = 1
    interleave: int = 1
    own: tuple[tuple[str, int], ...] = ()

    @classmethod
    def on(cls, side: Side, numbers: MappingOf[str, int]) -> ArrayMapping:
        """The mapping of a side with these numbers; those of its dataflow that are not given are 1."""
        own = dict.fromkeys(side.lying.parameters, 1) | dict(numbers)
        return cls(
            dataflow=side.dataflow,
            swapped=side.swapped,
            own=tuple((name, number) for name, number in own.items() if name not in SHARED_NUMBERS),
            **{name: numbers[name] for name in SHARED_NUMBERS if name in numbers},
        )

    @property
    def side(self) -> Side:
        """Its dataflow and how it lies."""
        return Side(dataflow=self.dataflow, swapped=self.swapped)

    @property
    def lying(self) -> Dataflow:
        """Its dataflow as it lies here."""
        return self.side.lying

    @property
    def west(self) -> Operand:
        """The operand in the west buffer."""
        return self.side.west

    @property
    def numbers(self) -> dict[str, int]:
        """The numbers of its dataflow, by name, in the order of the dataflow's parameters."""
        return {name: self.number(name) for name in self.lying.parameters}

    def number(self, name: str) -> int:
        """A number by name; one that it does not have is 1."""
        own: int = getattr(self, name) if name in SHARED_NUMBERS else dict(self.own).get(name, 1)
        return own

    def __str__(self) -> str:
        name = self.dataflow.upper() + (" swapped" if self.swapped else "")
        return ", ".join(filter(None, (name, self.lying.describe(self.numbers))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """The whole decision for one product.

    Attributes:
        array: how a tile is laid on the array.
        tile_m: rows of a full tile.
        tile_n: columns of a full tile.
        tile_k: depth of a full tile.
        order: block loop order, outermost first, such as ``mnk``.
        form: how the product is brought to the array; tiles are those of the product in this form.

    >>> array = ArrayMapping(dataflow="os", interleave_m=4, interleave_n=2)
    >>> print(Mapping(array=array, tile_m=64, tile_n=32, tile_k=256, order="mnk"))
    OS, interleave 4x2, tile 64x32x256, loops mnk
    """

    array: ArrayMapping
    tile_m: int
    tile_n: int
    tile_k: int
    order: str
    form: Form = PLAIN

    def __str__(self) -> str:
        tiles = f"tile {self.tile_m}x{self.tile_n}x{self.tile_k}"
        return ", ".join(filter(None, (str(self.array), tiles, f"loops {self.order}", str(self.form))))


def sides_of(engine: TensorEngine, gemm: Gemm, dataflows: tuple[str, ...] | None = None) -> tuple[Side, ...]:
    """The sides that an engine offers a product: those where its PEs can select for the compressed operand.

    Args:
        engine: the tensor engine, whatever its size.
        gemm: the product.
        dataflows: only these; all that the engine offers when None.

    Raises:
        ConfigError: the engine names a dataflow that nobody knows.
    """
    found = []
    for name in engine.dataflows:
        if dataflows is not None and name not in dataflows:
            continue
        for swapped in (False, True) if dataflow_named(name).swaps(engine) else (False,):
            side = Side(dataflow=name, swapped=swapped)
            if (not gemm.compressed or _selects(side.lying, engine, gemm)) and _shares_out(side.lying, gemm):
                found.append(side)
    return tuple(found)


def _shares_out(lying: Dataflow, gemm: Gemm) -> bool:
    """Whether the outputs of a product lie along columns as its split of k has them; where it has none, always."""
    return gemm.split == 1 or (lying.shares_depth and gemm.beside == ("n" if lying.west == "a" else "m"))


def _selects(lying: Dataflow, engine: TensorEngine, gemm: Gemm) -> bool:
    """Whether PEs select for the compressed operand of a product; where lanes wait, it lies north, and B of two."""
    sparsity = Sparsity.of(gemm)
    assert sparsity.compressed is not None, "it has one"
    if sparsity.waits and not (lying.lanes_wait and lying.north == sparsity.compressed):
        return False
    if not isinstance(sparsity.pattern, Pattern) and not lying.lanes_wait:
        # What a PE holds of each group is one number, and terms have several.
        return False
    return lying.selects(engine, sparsity.compressed)


def array_mappings(
    engine: TensorEngine, gemm: Gemm, dataflows: tuple[str, ...] | None = None, *, interleave: bool = True
) -> tuple[ArrayMapping, ...]:
    """Every array mapping worth trying for a product on this engine: what its dataflows call legal.

    Without interleave a PE works on one accumulation at a time: every interleave is 1, and what it holds resident
    under WS and IS stays free.

    Args:
        engine: the tensor engine.
        gemm: the product.
        dataflows: only these; all that the engine offers when None.
        interleave: whether a PE may turn between accumulations.

    Raises:
        MappingError: the engine lacks the pattern, or has no dataflow that can take the compressed operand.
        ConfigError: the engine names a dataflow that nobody knows.
    """
    if (lacking := _lacking(engine, gemm)) is not None:
        offered = ", ".join(engine.patterns) or "dense only"
        raise MappingError(
            f"{gemm.name}: got sparsity {lacking}, need one that the tensor engine has: {offered}",
            field="tensor_engine.patterns",
        )
    wanted = tuple(name for name in engine.dataflows if dataflows is None or name in dataflows)
    if not wanted:
        asked, offered = ", ".join(dataflows or ()), ", ".join(engine.dataflows)
        raise MappingError(
            f"{gemm.name}: got dataflow {asked}, need one that the tensor engine has: {offered}",
            field="tensor_engine.dataflows",
        )
    timing, sparsity = engine.timing, Sparsity.of(gemm)
    sides = sides_of(engine, gemm, wanted)
    by_side = (_on_side(side, side.lying, timing, sparsity, interleave=interleave) for side in sides)
    found = tuple(itertools.chain.from_iterable(by_side))
    if not found:
        raise MappingError(
            f"{gemm.name}: got operand {gemm.compressed} compressed {gemm.pattern_taken}, need a dataflow that can "
            f"select for it and a register_depth that holds a group; this engine offers {', '.join(wanted)} "
            f"with register_depth {engine.register_depth}"
        )
    return found


def _lacking(engine: TensorEngine, gemm: Gemm) -> OperandFormat | None:
    """A format of an operand that the engine cannot take; zeros without a rule it can always multiply."""
    for operand in OPERANDS:
        own = gemm.format_of(operand)
        if not engine.supports(own) and not (operand not in gemm.compressed and own.is_irregular):
            return own
    return None


@lru_cache(maxsize=512)
def _on_side(
    side: Side, lying: Dataflow, timing: ArrayTiming, sparsity: Sparsity, *, interleave: bool
) -> tuple[ArrayMapping, ...]:
    """The array mappings of a side: the same for most products of a step."""
    legal = lying.mappings(timing, sparsity, interleave=interleave)
    return tuple(
        ArrayMapping.on(side, dict(zip(lying.parameters, numbers, strict=True))) for numbers in legal.T.tolist()
    )
