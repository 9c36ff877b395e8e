"""Random products and designs so small that every mapping can be tried, with buffers that many tiles do not fit."""

import numpy as np
from bisparse.accel.specification import load_hardware
from bisparse.configs.pattern import Pattern
from bisparse.dataflow.gemm import Gemm
from bisparse.dataflow.window import SpatialAxis, Window
from bisparse.training.graph import Stage

PRESET = load_hardware("sat-vcu1525").model


def small_problem(seed):
    """A product and a design so small that every mapping can be tried, with buffers that many tiles do not fit."""
    draw = np.random.default_rng(seed)

    def between(low, high):
        return int(draw.integers(low, high, endpoint=True))

    def chance(share):
        return bool(draw.random() < share)

    def one_of(choices):
        return choices[between(0, len(choices) - 1)]

    return small_gemm(between, chance, one_of), small_design(between, chance, one_of)


def small_gemm(between, chance, one_of):
    kind = one_of(["matrix", "matrix", "patches", "weight gradient"])
    gradient = kind == "weight gradient"
    taps, window = 1, None
    if kind != "matrix":
        taps = one_of([1, 2, 4])
        axes = (
            SpatialAxis(
                positions=one_of([1, 2, 3, 4, 5]), inputs=between(1, 6), stride=between(1, 2), reach=between(1, 3)
            ),
            SpatialAxis(positions=between(1, 3), inputs=between(1, 4), stride=between(1, 2), reach=between(1, 3)),
        )
        window = Window(images=between(1, 3), axes=axes)
    positions = window.images * window.image_positions if window else between(1, 6)
    tapped = taps * between(1, 4 if kind != "matrix" else 7)
    compressed = one_of([None, "b", "b", "a"]) if not gradient else None
    return Gemm(
        name=kind,
        operator=kind,
        stage=Stage.WEIGHT_GRADIENT if gradient else Stage.FORWARD,
        m=tapped if gradient else positions,
        n=between(1, 6),
        k=positions if gradient else tapped,
        count=between(1, 2),
        taps=taps,
        tap_axis="m" if gradient else "k",
        window=window,
        **({compressed: one_of([Pattern(1, 2), Pattern(2, 4), Pattern(1, 4), Pattern(3, 4)])} if compressed else {}),
        reduced_on_load=compressed if compressed is not None and chance(0.3) else None,
        b_contiguous="n" if gradient else one_of(["n", "k"]),
        result="sum" if gradient else "value",
    )


def small_design(between, chance, one_of):
    latency = between(1, 4)
    engine = PRESET.tensor_engine.model_copy(
        update={
            "rows": between(2, 4),
            "cols": between(2, 4),
            "mac_latency": latency + between(0, 3),
            "accumulate_latency": latency,
            "register_depth": between(2, 4),
            "overlapped": chance(0.5),
            "drain": one_of(["shift", "wire"]),
            "stationary_load": one_of(["chain", "latch"]),
            "dataflows": one_of([("os",), ("ws",), ("is",), ("os", "ws"), ("os", "ws", "is")]),
            "swap_operands": chance(0.5),
            "patterns": ("1:2", "2:4", "1:4", "3:4"),
            "compressed_west": chance(0.3),
            "compressed_moving": chance(0.7),
            "spread_groups": chance(0.3),
        }
    )

    def buffer():
        return {
            "capacity_bytes": one_of([48, 80, 120, 200, 1000]),
            "port_bytes_per_cycle": one_of([1, 2, 5, 16]),
        }

    buffers = PRESET.buffers.model_copy(
        update={side: getattr(PRESET.buffers, side).model_copy(update=buffer()) for side in ("west", "north", "output")}
        | {"patch_expansion": chance(0.7)}
    )
    dram = PRESET.dram.model_copy(
        update={
            "channels": 1,
            "channel_bytes_per_second": one_of([1, 4, 16, 64]) * 1e9,
            "latency_seconds": between(0, 12) * 1e-9,
            "run_overhead_bytes": one_of([0, 4, 16]),
            "burst_bytes": one_of([1, 4, 8]),
        }
    )
    sorters = PRESET.reduction_engine.model_copy(update={"lanes": between(1, 4)})
    return PRESET.model_copy(
        update={
            "clock_hz": 1e9,
            "tensor_engine": engine,
            "buffers": buffers,
            "dram": dram,
            "reduction_engine": sorters,
        }
    )
