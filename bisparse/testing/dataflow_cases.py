"""Small designs, products and array mappings of a dataflow, from a seed: what the contract of dataflows is tried on.

Every number that a dataflow may depend on differs from case to case; sizes stay so small that whatever is legal can be
listed, and a register-level machine plays a case in milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import count, islice, product
from typing import Any

import numpy as np

from ..accel.specification import SIDES, Hardware, load_hardware
from ..accel.tensor_engine import ArrayTiming
from ..configs.arrays import FloatArray, IntArray
from ..configs.pattern import DENSE, Pattern
from ..dataflow.dataflows.dataflow import Dataflow
from ..dataflow.dataflows.tile import ArrayTile, Sparsity
from ..dataflow.gemm import Gemm, Operand
from ..dataflow.mapping import ArrayMapping, Side, sides_of
from ..training.graph import Stage

PATTERNS = ("1:2", "2:4", "1:4", "2:8", "3:8")
_LARGEST_VALUE = 9
"""Operands are small positive integers: sums are exact in any order, and only what is not there is zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataflowCase:
    """A product on a design, under one array mapping.

    Attributes:
        hardware: the design; it offers this dataflow alone.
        gemm: the product.
        mapping: how it lies, as one tile.
        seed: fixes the operands.
    """

    hardware: Hardware
    gemm: Gemm
    mapping: ArrayMapping
    seed: int

    def __str__(self) -> str:
        gemm, pruned = self.gemm, self.sparsity
        sparse = f"{pruned.compressed} {pruned.pattern}" if pruned.compressed else "dense"
        return f"case {self.seed}: {gemm.name} {sparse}, {self.mapping}, {self.timing}"

    @property
    def timing(self) -> ArrayTiming:
        """The array."""
        return self.hardware.tensor_engine.timing

    @property
    def sparsity(self) -> Sparsity:
        """What is pruned."""
        return Sparsity.of(self.gemm)

    @property
    def tile(self) -> ArrayTile:
        """The whole product as one tile."""
        gemm = self.gemm
        return ArrayTile(
            m=gemm.m,
            n=gemm.n,
            slots=int(gemm.pattern.slots(gemm.k)),
            groups=int(gemm.pattern.groups(gemm.k)),
            sparsity=self.sparsity,
        )

    def operands(self) -> tuple[FloatArray, FloatArray]:
        """A [m, k] and B [k, n] of positive integers, the compressed one zero where it is pruned."""
        draw, gemm = np.random.default_rng(self.seed), self.gemm
        a = draw.integers(1, _LARGEST_VALUE, (gemm.m, gemm.k), endpoint=True).astype(np.float64)
        b = draw.integers(1, _LARGEST_VALUE, (gemm.k, gemm.n), endpoint=True).astype(np.float64)
        if gemm.compressed == "a":
            a *= _kept(draw, gemm.m, gemm)
        elif gemm.compressed == "b":
            b *= _kept(draw, gemm.n, gemm).T
        return a, b


def _kept(draw: np.random.Generator, vectors: int, gemm: Gemm) -> FloatArray:
    """[vectors, k] ones where a value is kept: N of every group of M, chosen at random."""
    pattern, mask = Pattern.only(gemm.pattern), np.zeros((vectors, gemm.k))
    for start in range(0, gemm.k, pattern.group):
        size = min(pattern.group, gemm.k - start)
        order = np.argsort(draw.random((vectors, size)), axis=1)
        mask[:, start : start + size] = order < min(pattern.kept, size)
    return mask


@cache
def _preset() -> Hardware:
    return load_hardware("systolic-textbook").model


def small_hardware(draw: np.random.Generator, dataflow: Dataflow, kind: int = 0) -> Hardware:
    """A small design that offers one dataflow.

    Args:
        draw: what its numbers are drawn from.
        dataflow: the dataflow.
        kind: fixes the switches; designs of a kind differ in numbers only and may stand in one table.
    """
    preset, switch = _preset(), np.random.default_rng(kind)

    def between(low: int, high: int) -> int:
        return int(draw.integers(low, high, endpoint=True))

    latency, overlapped = between(1, 5), bool(switch.random() < 0.6)
    engine = preset.tensor_engine.model_copy(
        update={
            "rows": between(1, 4),
            "cols": between(1, 4),
            "accumulate_latency": latency,
            "mac_latency": latency + between(0, 4),
            "register_depth": between(1, 9),
            "overlapped": overlapped,
            "drain": str(switch.choice(["shift", "wire"])),
            "stationary_load": str(switch.choice(["chain", "latch"])),
            "dataflows": (dataflow.name,),
            "patterns": PATTERNS,
            "swap_operands": bool(switch.random() < 0.5),
            "compressed_west": bool(switch.random() < 0.5),
            "compressed_moving": bool(switch.random() < 0.5),
            "tile_overlap": overlapped and bool(switch.random() < 0.5),
        }
    )
    sides: dict[str, Any] = {
        side: getattr(preset.buffers, side).model_copy(
            update={"capacity_bytes": between(6, 20) ** 2, "port_bytes_per_cycle": 1 << between(1, 6)}
        )
        for side in SIDES
    }
    dram = preset.dram.model_copy(
        update={"channel_bytes_per_second": between(1, 40) * 1e9, "latency_seconds": between(0, 20) * 1e-9}
    )
    buffers = preset.buffers.model_copy(update={**sides, "tiles_held": 2})
    return preset.model_copy(update={"clock_hz": 1e9, "tensor_engine": engine, "buffers": buffers, "dram": dram})


def small_product(draw: np.random.Generator, hardware: Hardware, *, largest: int) -> Gemm:
    """A product that a design takes, no extent above the largest."""
    compressed: Operand | None = (None, "a", "b")[int(draw.integers(3))]
    m, n, k = (int(draw.integers(1, largest, endpoint=True)) for _ in range(3))

    def gemm(operand: Operand | None) -> Gemm:
        pattern = DENSE if operand is None else Pattern.parse(str(draw.choice(PATTERNS)))
        return Gemm(
            name=f"{m}x{n}x{k}",
            operator="case",
            stage=Stage.FORWARD,
            m=m,
            n=n,
            k=k,
            a=pattern if operand == "a" else DENSE,
            b=pattern if operand == "b" else DENSE,
        )

    wanted = gemm(compressed)
    return wanted if sides_of(hardware.tensor_engine, wanted) else gemm(None)


def legal_numbers(hardware: Hardware, gemm: Gemm, side: Side, *, interleave: bool = True) -> list[dict[str, int]]:
    """The numbers of every legal array mapping of a side, asked for one at a time."""
    lying, engine = side.lying, hardware.tensor_engine
    every = product(range(1, engine.register_depth + 1), repeat=len(lying.parameters))
    named = (dict(zip(lying.parameters, values, strict=True)) for values in every)
    sparsity = Sparsity.of(gemm)
    return [each for each in named if bool(lying.legal(engine.timing, sparsity, each, interleave=interleave))]


def random_dataflow_case(seed: int, dataflow: Dataflow, *, largest: int = 12) -> DataflowCase | None:
    """The case that an integer names; None when the registers of its design hold no mapping of its product."""
    draw = np.random.default_rng(seed)
    hardware = small_hardware(draw, dataflow, kind=seed)
    gemm = small_product(draw, hardware, largest=largest)
    sides = sides_of(hardware.tensor_engine, gemm)
    side = sides[int(draw.integers(len(sides)))]
    legal = legal_numbers(hardware, gemm, side)
    if not legal:
        return None
    numbers = legal[int(draw.integers(len(legal)))]
    return DataflowCase(hardware=hardware, gemm=gemm, mapping=ArrayMapping.on(side, numbers), seed=seed)


@cache
def dataflow_cases(dataflow: Dataflow, wanted: int, *, largest: int = 12) -> tuple[DataflowCase, ...]:
    """So many cases of a dataflow, always the same."""
    found = (random_dataflow_case(seed, dataflow, largest=largest) for seed in count())
    return tuple(islice((case for case in found if case is not None), wanted))


def columns(numbers: list[dict[str, int]]) -> dict[str, IntArray]:
    """The numbers of many mappings, by name, [A, 1]."""
    names = numbers[0] if numbers else {}
    return {name: np.array([each[name] for each in numbers], dtype=np.int64)[:, None] for name in names}
