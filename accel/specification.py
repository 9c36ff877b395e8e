"""The hardware specification: everything that a file in ``configs/hardware`` says about a design, validated.

Sizes are integers in the unit that the field's name carries. A preset states the status (``published``, ``derived``,
``assumed``) and the source of each value; ``load_hardware`` returns them beside the specification as provenance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, Field, PositiveInt, model_validator

from ..configs.operand_format import OperandFormat
from ..configs.pattern import LARGEST_GROUP
from ..configs.quantity import Bytes, BytesPerSecond, Hertz, PatternText, Seconds, as_field
from ..configs.schema import Loaded, load_annotated
from ..configs.section import Section
from .dataflow_names import checked_dataflow_name
from .dram_timings import DramTimings
from .exploits import LARGEST_SIDE, Exploits
from .limits import LARGEST_MEMORY, LONGEST_LATENCY, MOST_LANES
from .scalesim_config import read_scalesim_config
from .tensor_engine import ArrayTiming, Drain, StationaryLoad
from .vector_engine import VectorEngine

DataflowName = Annotated[str, AfterValidator(as_field(checked_dataflow_name))]
"""The name of a dataflow that can be had."""

Precision = Literal["fp32", "fp16", "bf16", "fp8", "int8"]
SumPrecision = Literal["fp32", "int32"]
BYTES_OF: dict[Precision, int] = {"fp32": 4, "fp16": 2, "bf16": 2, "fp8": 1, "int8": 1}


class TensorEngine(Section):
    """The systolic array."""

    rows: PositiveInt = Field(le=LARGEST_SIDE, description="R, rows of processing elements")
    cols: PositiveInt = Field(le=LARGEST_SIDE, description="C, columns of processing elements")
    units: PositiveInt = Field(
        default=1,
        le=LARGEST_SIDE,
        description="arrays of R x C that share every tile: each takes a part of its m, or of its n",
    )
    share_from: PositiveInt = Field(
        default=1,
        le=LARGEST_SIDE,
        description="columns of a product from which on several units take parts of its rows; narrower ones share its "
        "columns alone",
    )
    mac_latency: PositiveInt = Field(
        le=LONGEST_LATENCY, description="P, cycles from issue to a usable result, hop included"
    )
    accumulate_latency: PositiveInt = Field(
        le=LONGEST_LATENCY, description="L, cycles before a dependent accumulation may issue"
    )
    register_depth: PositiveInt = Field(description="D, partial sums or stationary values a PE holds", le=64)
    overlapped: bool = Field(description="whether a fold starts while the one before it empties")
    drain: Drain = Field(description="how output-stationary results leave: shift down the column, or a wire a PE")
    stationary_load: StationaryLoad = Field(
        description="how stationary weights arrive: a chain, or row-addressed latches"
    )
    dataflows: tuple[DataflowName, ...] = Field(min_length=1, description="dataflows that the interconnect offers")
    swap_operands: bool = Field(description="whether OS may also map n along the rows, with A on the north side")
    patterns: tuple[PatternText, ...] = Field(default=(), description="N:M patterns that the PEs select from")
    compressed_west: bool = Field(default=False, description="whether the west operand may be the compressed one (OS)")
    compressed_moving: bool = Field(
        default=False, description="whether the streamed operand may be compressed (WS, IS)"
    )
    precision: Precision = Field(default="fp16", description="format of the operands")
    sum_precision: SumPrecision | None = Field(
        default=None, description="format of the sums, 4 bytes each; none: int32 where int8 is multiplied, else fp32"
    )
    multiply_precision: Precision | None = Field(
        default=None,
        description="format that operands are rounded to in front of the multipliers; none: as they lie in memory",
    )
    spread_groups: bool = Field(
        default=False,
        description="whether the N kept values of a group that stays lie in N PEs of a column, or all in one (WS, IS)",
    )
    exploits: Exploits = Field(default=Exploits(), description="what the PEs skip beyond N:M patterns")
    taps_apart: bool = Field(
        default=False,
        description="whether a fold holds stationary values of one kernel position alone, rows beyond its channels "
        "idle, or those of all positions one after another (WS, IS)",
    )
    tile_overlap: bool = Field(
        default=False,
        description="whether a tile enters while the one before it empties, as folds of a tile do; needs overlapped",
    )
    split_columns: PositiveInt | None = Field(
        default=None,
        le=LARGEST_SIDE,
        description="columns of a segment that has an entrance from the west and adds its sums to those of the segment "
        "before: segments share k out where outputs fill few columns; none: k is not split",
    )
    zero_gating: bool = Field(
        default=False, description="whether a PE that meets a zero operand holds its sum: no multiply, no add"
    )

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        longest, widest, split = self.mac_latency, self.cols // 2, self.split_columns
        if self.accumulate_latency > longest:
            raise ValueError(f"accumulate_latency: got {self.accumulate_latency}, need at most mac_latency ({longest})")
        if self.summed_as == "int32" and self.multiplied_as != "int8":
            raise ValueError(f"sum_precision: got int32, need fp32: products of {self.multiplied_as} are no integers")
        if self.tile_overlap and not self.overlapped:
            raise ValueError(
                "tile_overlap: got true, need overlapped: true beside it: tiles follow one another as folds do"
            )
        if split is not None and split > widest:
            raise ValueError(f"split_columns: got {split}, need at most {widest}, so that there are two segments")
        if split is not None and self.tile_overlap:
            raise ValueError(f"split_columns: got {split} beside tile_overlap: true, need one of them alone")
        self._check_units()
        return self

    def _check_units(self) -> None:
        several = f"units: got {self.units}, need 1"
        if self.units > 1 and self.split_columns is not None:
            raise ValueError(f"{several} beside split_columns: a tile is shared in one way")
        if self.units == 1 and self.share_from > 1:
            raise ValueError(f"share_from: got {self.share_from}, need 1 where there is one unit")
        if self.units > 1 and not self.exploits.skips_none:
            raise ValueError(f"{several} beside exploits: who waits for whom is not known over several arrays")
        for field in ("spread_groups", "split_columns"):
            if self.taps_apart and getattr(self, field):
                raise ValueError(f"taps_apart: got true, need false beside {field}")

    @property
    def processing_elements(self) -> int:
        """Of all units: multiply-accumulates that can be issued a cycle."""
        return self.rows * self.cols * self.units

    @property
    def multiplied_as(self) -> Precision:
        """The format that the multipliers take."""
        return self.multiply_precision or self.precision

    @property
    def summed_as(self) -> SumPrecision:
        """The format that sums are kept in."""
        return self.sum_precision or ("int32" if self.multiplied_as == "int8" else "fp32")

    @property
    def timing(self) -> ArrayTiming:
        """What the cycle model needs to know."""
        return ArrayTiming(
            rows=self.rows,
            cols=self.cols,
            mac_latency=self.mac_latency,
            accumulate_latency=self.accumulate_latency,
            register_depth=self.register_depth,
            overlapped=self.overlapped,
            shifted_drain=self.drain == "shift",
            chained_load=self.stationary_load == "chain",
            spread_groups=self.spread_groups,
            tile_overlap=self.tile_overlap,
        )

    @property
    def selects(self) -> bool:
        """Whether PEs pick operands out of groups."""
        return bool(self.patterns) or self.exploits.of_one(self.cols) is not None

    def supports(self, pattern: OperandFormat) -> bool:
        """Whether the PEs can skip the zeros of this format; every array runs dense."""
        if pattern.is_dense or pattern.leaves_dense or all(str(each) in self.patterns for each in pattern.selected):
            return True
        return self.exploits.takes(pattern, self.cols)

    def takes(self, pattern: OperandFormat) -> bool:
        """Whether an operand may have this format: N:M that the PEs can select, zeros without a rule always."""
        return pattern.is_irregular or self.supports(pattern)


Side = Literal["west", "north", "output"]

SIDES: tuple[Side, ...] = get_args(Side)
"""Where the array has a port and a buffer: two operands come in, sums and results go out."""

SHARED_PORT = "operand"
"""The port that both operands share, of a design where one memory feeds them."""


class Buffer(Section):
    """One on-chip buffer and the port that the array sees."""

    capacity_bytes: Bytes = Field(
        le=LARGEST_MEMORY, gt=0, description="whole capacity, shared out over the tiles held at once"
    )
    banks: PositiveInt = Field(le=MOST_LANES, description="banks; the energy of an access is that of one bank")
    port_bytes_per_cycle: PositiveInt = Field(
        le=MOST_LANES, description="bytes a cycle between the buffer and the array"
    )


class Buffers(Section):
    """The three buffers of the tensor engine."""

    west: Buffer = Field(description="W2E, the operand that enters from the west")
    north: Buffer = Field(description="N2S, the operand that enters from the north")
    output: Buffer = Field(description="partial sums and results, 4 bytes each")
    shared_port_bytes_per_cycle: PositiveInt | None = Field(
        le=MOST_LANES,
        default=None,
        description="bytes a cycle that both operands share on their way to the array, where one memory feeds west and "
        "north; without it each port stands alone",
    )
    tiles_held: int = Field(
        le=1024, default=2, ge=2, description="tiles that each buffer holds at once; 2 is double buffering"
    )
    patch_expansion: bool = Field(description="whether line buffers expand convolution patches on chip")
    zero_insertion: bool = Field(
        default=True,
        description="whether values can be set among zeros on their way into a buffer: groups packed block-diagonally, "
        "N:M operands multiplied densely where that is faster",
    )

    @property
    def by_side(self) -> dict[Side, Buffer]:
        """Each buffer, in the order of ``SIDES``."""
        return {side: getattr(self, side) for side in SIDES}

    @property
    def port_widths(self) -> dict[str, int]:
        """Bytes a cycle of each port, in the order of ``SIDES``, and of the one that the operands share, if they do."""
        found: dict[str, int] = {side: buffer.port_bytes_per_cycle for side, buffer in self.by_side.items()}
        if self.shared_port_bytes_per_cycle is not None:
            found[SHARED_PORT] = self.shared_port_bytes_per_cycle
        return found

    @property
    def operand_port_bytes_per_cycle(self) -> int:
        """Bytes a cycle of both operands together: what they share, or as wide as both ports."""
        both = self.west.port_bytes_per_cycle + self.north.port_bytes_per_cycle
        return self.shared_port_bytes_per_cycle or both

    @property
    def capacity_bytes(self) -> int:
        """Of all three."""
        return sum(buffer.capacity_bytes for buffer in self.by_side.values())


class Dram(Section):
    """Off-chip memory: bandwidth, latency, and the cost of short runs, simple or by a timing set."""

    technology: str = Field(description="row of the energy table: ddr4, lpddr4, hbm2")
    channels: PositiveInt = Field(le=LARGEST_SIDE, description="independent channels")
    channel_bytes_per_second: BytesPerSecond = Field(le=1e18, gt=0, description="peak bandwidth of a channel")
    efficiency: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="share of the peak that long transfers reach, whatever is lost where runs end; 1 with timing",
    )
    latency_seconds: Seconds = Field(le=1.0, ge=0, description="from request to first byte")
    run_overhead_bytes: int = Field(
        le=1 << 30,
        ge=0,
        description="bytes of time lost a contiguous run; efficiency run/(run+overhead); not used with timing",
    )
    burst_bytes: PositiveInt = Field(
        le=1 << 30, description="smallest transfer; compressed streams are rounded up to it"
    )
    capacity_bytes: Bytes = Field(le=LARGEST_MEMORY, gt=0, description="whole capacity of the card")
    timing: DramTimings | None = Field(
        default=None, description="timing set of a channel, by name or path; without one the simple model"
    )

    @model_validator(mode="after")
    def _timing_agrees(self) -> Self:
        timing = self.timing
        if timing is None:
            return self
        if self.efficiency != 1:
            raise ValueError(f"efficiency: got {self.efficiency:g}, need 1: timing {timing.name} says what is lost")
        if self.burst_bytes != timing.burst_bytes:
            gives = f"{timing.burst_bytes}, {timing.burst_length} transfers of {timing.channel_bits} bits"
            raise ValueError(f"burst_bytes: got {self.burst_bytes}, need what timing {timing.name} gives: {gives}")
        if not math.isclose(self.channel_bytes_per_second, timing.bytes_per_second, rel_tol=1e-9):
            got = f"{self.channel_bytes_per_second / 1e9:g} GB/s"
            gives = f"{timing.bytes_per_second / 1e9:g} GB/s, {timing.channel_bits} bits twice a clock"
            raise ValueError(f"channel_bytes_per_second: got {got}, need what timing {timing.name} gives: {gives}")
        return self

    @property
    def bytes_per_second(self) -> float:
        """Bandwidth that long transfers reach over all channels."""
        return self.channels * self.channel_bytes_per_second * self.efficiency


class ReductionEngine(Section):
    """SORE: top-K sorters that turn dense weights into N:M."""

    lanes: PositiveInt = Field(le=MOST_LANES, description="groups sorted side by side, one element a lane a cycle")
    largest_group: int = Field(ge=1, le=LARGEST_GROUP, description="largest M that a lane can sort")


class UpdateEngine(Section):
    """WUVE: the optimizer in FP32."""

    lanes: PositiveInt = Field(le=MOST_LANES, description="weights updated a cycle, when memory keeps up")


class Policy(Section):
    """What the scheduler may do with this design."""

    pre_generation: bool = Field(description="N:M weights are made in the update stage, not on the way into FF and BP")
    overlap_update: bool = Field(description="update and reduction run beside the backward pass of earlier layers")
    overlap_vector: bool = Field(
        default=False, description="vector work runs beside products that it neither needs nor feeds"
    )
    keep_on_chip: bool = Field(
        default=False, description="tensors that fit beside the tiles stay in the buffers until their last use"
    )

    @property
    def keeps_tensors(self) -> bool:
        """Whether tensors stay on chip: not where works run beside each other, whose spare room nobody knows."""
        return self.keep_on_chip and not self.overlap_vector


class Hardware(Section):
    """A whole design."""

    name: str
    title: str = ""
    clock_hz: Hertz = Field(le=1e12, gt=0, description="one clock for every engine")
    tensor_engine: TensorEngine
    buffers: Buffers
    dram: Dram
    reduction_engine: ReductionEngine
    update_engine: UpdateEngine
    vector_engine: VectorEngine
    policy: Policy
    energy_table: str = Field(description="name or path of the energy table")

    @property
    def dram_bytes_per_cycle(self) -> float:
        """DRAM bandwidth that long transfers reach, in bytes a clock cycle."""
        return self.dram.bytes_per_second / self.clock_hz

    @property
    def dram_latency_cycles(self) -> int:
        """DRAM latency in whole clock cycles."""
        return -(-round(self.dram.latency_seconds * 1e12) * int(self.clock_hz) // 10**12)

    @property
    def peak_macs_per_cycle(self) -> int:
        """Multiply-accumulates that the array can issue a cycle."""
        return self.tensor_engine.processing_elements


PARTS: dict[tuple[str, ...], str] = {("dram", "timing"): "dram"}
"""Fields that may name another file, and the kind of that file."""


def load_hardware(name_or_path: str | Mapping[str, Any]) -> Loaded[Hardware]:
    """Load a shipped design by name, or a user's file by path: YAML, or a SCALE-Sim configuration (``.cfg``).

    Or one given as plain data, as a file would say it: ``{"extends": "sat-vcu1525", "clock_hz": "300 MHz"}``.

    Raises:
        ConfigError: the file is missing or wrong; the message names file, line and field.
    """
    return load_annotated(
        name_or_path,
        Hardware,
        "hardware",
        parts={(*path,): kind for path, kind in PARTS.items()},
        foreign={".cfg": read_scalesim_config},
    )
