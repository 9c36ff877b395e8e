"""Whether the closed forms of traffic and a brute-force walk of the tiles say the same, on random tilings.

``bisparse validate`` and the property tests ask here. A tiling is a function of one integer: a product (plain, a
convolution's patches, a weight gradient; dense or N:M; some of its tensors on chip), a design, tile sizes that the
mapping search would try, a block loop order.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any

import numpy as np

from ...accel.dram_timings import DramTimings, load_dram_timings
from ...accel.specification import Buffers, Dram, Hardware, load_hardware
from ...configs.formats import parse_format
from ...configs.library import names
from ...configs.operand_format import OperandFormat
from ...configs.pattern import DENSE
from ...dataflow.gemm import Gemm, Operand, Place
from ...dataflow.mapping import LOOP_ORDERS
from ...dataflow.tile_grid import TileGrid
from ...dataflow.traffic import Traffic
from ...dataflow.window import SpatialAxis, Window
from ...training.graph import Stage
from ..event.block import Moved
from ..event.tile_walk import TileWalk

LARGEST_WALK = 3000
"""Tilings with more tiles are drawn again in larger tiles."""

PATTERNS = ("1:2", "2:4", "1:8", "2:8", "3:8", "2:16")
FORMATS = (*PATTERNS, "80%", "37.5%", "60% block 2x4", "70% in each row as run-length", "75% block 2x2 as rows")


@dataclass(frozen=True, slots=True, kw_only=True)
class TilingCase:
    """One product cut into tiles on one design.

    Attributes:
        gemm: the product.
        hardware: the design.
        candidate: which of the ladder's tilings it is.
        tile_m: rows of a full tile.
        tile_n: its columns.
        tile_k: its depth.
        order: block loop order, outermost first.
        west: the operand in the west buffer.
        seed: the integer that names it.
    """

    gemm: Gemm
    hardware: Hardware = field(repr=False)
    candidate: int
    tile_m: int
    tile_n: int
    tile_k: int
    order: str
    west: Operand
    seed: int

    def tiles(self) -> TileGrid:
        """The one candidate, as the mapping search sees it."""
        return TileGrid.ladder(self.gemm, self.hardware).pick(np.array([self.candidate]))

    def walk(self) -> TileWalk:
        """The same, walked."""
        return TileWalk(
            gemm=self.gemm,
            hardware=self.hardware,
            tile_m=self.tile_m,
            tile_n=self.tile_n,
            tile_k=self.tile_k,
            order=self.order,
            west=self.west,
        )


class Draw:
    """Draws from one seed."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.default_rng(seed)

    def between(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return int(self._generator.integers(low, high, endpoint=True))

    def chance(self, share: float) -> bool:
        """True in that share of draws."""
        return bool(self._generator.random() < share)

    def one_of(self, *choices: str) -> str:
        """One of some words."""
        return choices[self.between(0, len(choices) - 1)]


def random_tiling(seed: int) -> TilingCase:
    """The tiling that an integer names.

    >>> random_tiling(7) == random_tiling(7)
    True
    """
    draw = Draw(seed)
    gemm, hardware = random_product(draw), random_hardware(draw)
    grid = TileGrid.ladder(gemm, hardware)
    tiles = np.prod([grid.trips[axis] for axis in ("m", "n", "k")], axis=0)
    small_enough = np.flatnonzero(tiles <= LARGEST_WALK)
    candidate = int(small_enough[draw.between(0, len(small_enough) - 1)])
    order = LOOP_ORDERS[draw.between(0, len(LOOP_ORDERS) - 1)]
    return TilingCase(
        gemm=replace(gemm, on_chip=some_on_chip(draw)),
        hardware=hardware,
        candidate=candidate,
        tile_m=int(grid.size_m[candidate, 0]),
        tile_n=int(grid.size_n[candidate, 0]),
        tile_k=int(grid.size_k[candidate, 0]),
        order=order,
        west="a" if draw.chance(0.5) else "b",
        seed=seed,
    )


def some_on_chip(draw: Draw) -> tuple[Place, ...]:
    """Nothing stays on chip in two tilings of three."""
    if not draw.chance(1 / 3):
        return ()
    places: tuple[Place, ...] = ("a", "b", "c")
    return tuple(place for place in places if draw.chance(0.5))


def random_product(draw: Draw) -> Gemm:
    """A product of any kind that lowering makes, in any form."""
    kind = draw.one_of("matrix", "patches", "weight gradient", "matrix weight gradient")
    compressed: Operand | None = None
    pattern: OperandFormat = DENSE
    if kind in ("matrix", "patches") and draw.chance(0.6):
        compressed = "b" if draw.chance(0.7) else "a"
        pattern = parse_format(draw.one_of(*FORMATS))
    taps, window = 1, None
    if kind in ("patches", "weight gradient"):
        reach = draw.between(1, 5)
        taps = draw.between(1, reach) * draw.between(1, 3)
        spatial = draw.between(1, 3)
        axes = [_random_axis(draw, reach, inside=spatial - at - 1) for at in range(spatial)]
        window = Window(images=draw.between(1, 6) if draw.chance(0.8) else draw.between(13, 20), axes=tuple(axes))
    positions = window.images * window.image_positions if window else _extent(draw)
    tapped = taps * _extent(draw)
    of_weights = kind.endswith("gradient")
    lowered = Gemm(
        name=kind,
        operator=kind,
        stage=Stage.WEIGHT_GRADIENT if of_weights else Stage.FORWARD,
        m=tapped if of_weights else positions,
        n=_extent(draw),
        k=positions if of_weights else tapped,
        count=draw.between(1, 3),
        taps=taps,
        tap_axis="m" if of_weights else "k",
        window=window,
        a=pattern if compressed == "a" else DENSE,
        b=pattern if compressed == "b" else DENSE,
        reduced_on_load=compressed if compressed is not None and draw.chance(0.3) else None,
        b_contiguous="n" if of_weights or draw.chance(0.6) else "k",
        scattered_result=not of_weights and draw.chance(0.2),
        result="sum" if of_weights or draw.chance(0.2) else "value",
    )
    return _in_some_form(lowered, draw)


def _in_some_form(gemm: Gemm, draw: Draw) -> Gemm:
    """Plain in two of three; else repetitions packed, the pruned operand multiplied densely, or both."""
    if not draw.chance(1 / 3):
        return gemm
    in_groups = not gemm.compressed or gemm.tap_axis == "m" or gemm.channels % gemm.pattern.unit == 0
    if in_groups and draw.chance(0.7):
        repetitions = draw.between(2, 9)
        gemm = replace(gemm, count=repetitions).pack(draw.between(2, repetitions))
    # What is sparse without a rule is packed only to be multiplied densely.
    densely = gemm.packed > 1 and gemm.pattern.is_irregular
    return gemm.expand() if gemm.compressed and (draw.chance(0.6) or densely) else gemm


def _random_axis(draw: Draw, reach: int, *, inside: int) -> SpatialAxis:
    """A spatial axis with so many axes inside it."""
    longest = 14 if inside == 0 else 8
    return SpatialAxis(
        positions=draw.between(1, longest), inputs=draw.between(1, 16), stride=draw.between(1, 3), reach=reach
    )


def _extent(draw: Draw) -> int:
    return draw.between(1, 12) if draw.chance(0.6) else draw.between(13, 70)


@cache
def _reference_design() -> Hardware:
    return load_hardware("sat-vcu1525").model


def random_hardware(draw: Draw) -> Hardware:
    """A design whose array, precision, bursts and sorters are drawn."""
    base = _reference_design()
    return base.model_copy(
        update={
            "tensor_engine": base.tensor_engine.model_copy(
                update={
                    "rows": draw.between(1, 8),
                    "cols": draw.between(1, 8),
                    "precision": draw.one_of("fp16", "fp8", "fp32"),
                }
            ),
            "buffers": _random_buffers(draw, base.buffers),
            "dram": _random_dram(draw, base.dram),
            "reduction_engine": base.reduction_engine.model_copy(update={"lanes": draw.between(1, 32)}),
        }
    )


def _random_buffers(draw: Draw, base: Buffers) -> Buffers:
    """Capacities that keep all of an operand, some of it, or hardly a tile."""
    sides: dict[str, Any] = {
        side: buffer.model_copy(update={"capacity_bytes": 1 << draw.between(4, 18)})
        for side, buffer in base.by_side.items()
    }
    held = 2 if draw.chance(0.7) else 3
    return base.model_copy(update={**sides, "patch_expansion": draw.chance(0.7), "tiles_held": held})


def _random_dram(draw: Draw, base: Dram) -> Dram:
    """The simple model with any burst and overhead, or one of the shipped timing sets."""
    if draw.chance(0.5):
        return base.model_copy(
            update={"burst_bytes": 1 << draw.between(0, 6), "run_overhead_bytes": draw.between(0, 64)}
        )
    timing = _timing_set(draw.one_of(*names("dram")))
    return base.model_copy(
        update={
            "channels": draw.between(1, 8),
            "channel_bytes_per_second": timing.bytes_per_second,
            "burst_bytes": timing.burst_bytes,
            "timing": timing,
        }
    )


@cache
def _timing_set(name: str) -> DramTimings:
    return load_dram_timings(name).model


def closed_form(case: TilingCase) -> Moved:
    """What ``dataflow.traffic`` says that one repetition moves."""
    tiles = case.tiles()
    traffic = Traffic(tiles=tiles, a_in_west=case.west == "a", order=case.order)
    trips = {axis: int(count[0]) for axis, count in tiles.trips.items()}
    blocks_of_c = trips["m"] * trips["n"]
    unfinished = int(traffic.c_visits[0]) - 1
    return Moved(
        a_fetches=int(traffic.a_fetches[0]) * trips["m"] * trips["k"],
        b_fetches=int(traffic.b_fetches[0]) * trips["k"] * trips["n"],
        partial_sum_reads=unfinished * blocks_of_c,
        partial_sum_writes=unfinished * blocks_of_c,
        result_writes=blocks_of_c,
        a_bytes=int(traffic.a_bytes[0]),
        b_bytes=int(traffic.b_bytes[0]),
        a_held_bytes=int((traffic.a_fetches * tiles.sum_over_blocks(tiles.a_held_bytes, "mk"))[0]),
        b_held_bytes=int((traffic.b_fetches * tiles.sum_over_blocks(tiles.b_held_bytes, "kn"))[0]),
        partial_sum_read_bytes=int(traffic.partial_sum_bytes[0]),
        partial_sum_write_bytes=int(traffic.partial_sum_bytes[0]),
        result_bytes=int(traffic.result_bytes[0]),
        reduced_elements=int(traffic.reduced_elements[0]),
        cycles=int(traffic.cycles[0]),
    )


def check_tiling(case: TilingCase) -> str | None:
    """Walk a tiling; None if the closed forms found every fetch, byte and cycle of it, else what differs."""
    said, walked = closed_form(case), case.walk().moved
    differing = [
        f"{each.name} {getattr(said, each.name)}, walked {getattr(walked, each.name)}"
        for each in fields(Moved)
        if getattr(said, each.name) != getattr(walked, each.name)
    ]
    if not differing:
        return None
    return f"tiling {case.seed}: closed form {'; '.join(differing)}: {case}"
