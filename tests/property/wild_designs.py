"""Designs that no architect would draw, from a seed: every number and switch that time and energy depend on differs."""

import dataclasses

import numpy as np
from bisparse.accel.energy import COMPONENT_OF, EnergyModel
from bisparse.accel.specification import load_hardware
from bisparse.configs.library import content_hash
from bisparse.dataflow.objective import BYTES_ALONE

PRESETS = ("sat-vcu1525", "sat-vcu1525-timed", "edge-16x16", "systolic-textbook", "datacenter-128x128")


class Draw:
    """Choices from a seed."""

    def __init__(self, seed):
        self._random = np.random.default_rng(seed)

    def one(self, *options):
        return options[self._random.integers(len(options))]

    def chance(self, share):
        return bool(self._random.random() < share)


def wild_numbers(draw, loaded):
    """A design that differs from a preset in numbers only."""
    preset = loaded.model
    latency = draw.one(1, 2, 4)
    engine = preset.tensor_engine.model_copy(
        update={
            "rows": draw.one(4, 16, 32, 33, 64),
            "cols": draw.one(8, 16, 32, 48),
            "register_depth": draw.one(1, 2, 4, 8, 9),
            "accumulate_latency": latency,
            "mac_latency": latency + draw.one(0, 3),
        }
    )

    def buffer(old):
        capacity = draw.one(1, 4, 16, 64) * draw.one(16, 32) * 1024
        return old.model_copy(
            update={
                "capacity_bytes": capacity,
                "port_bytes_per_cycle": draw.one(16, 64, 256, 512),
                "banks": draw.one(1, 8),
            }
        )

    old = preset.buffers
    buffers = old.model_copy(
        update={
            "west": buffer(old.west),
            "north": buffer(old.north),
            "output": buffer(old.output),
            "tiles_held": draw.one(2, 2, 3),
        }
    )
    if old.shared_port_bytes_per_cycle is not None:
        buffers = buffers.model_copy(update={"shared_port_bytes_per_cycle": draw.one(12, 48, 100, 400)})
    dram = preset.dram
    if dram.timing is None:
        dram = dram.model_copy(
            update={
                "channels": draw.one(1, 2, 4),
                "channel_bytes_per_second": draw.one(5e9, 19.2e9, 33.3e9),
                "latency_seconds": draw.one(0.0, 1e-7, 5e-7),
                "run_overhead_bytes": draw.one(0, 64, 100),
                "burst_bytes": draw.one(32, 64),
            }
        )
    return _loaded(
        loaded,
        preset.model_copy(
            update={
                "tensor_engine": engine,
                "buffers": buffers,
                "dram": dram,
                "clock_hz": draw.one(1e8, 2e8, 3.33e8),
                "reduction_engine": preset.reduction_engine.model_copy(update={"lanes": draw.one(1, 8, 32)}),
                "update_engine": preset.update_engine.model_copy(update={"lanes": draw.one(4, 32, 100)}),
                "vector_engine": preset.vector_engine.model_copy(update={"lanes": draw.one(8, 32, 33)}),
            }
        ),
    )


def wild_prices(draw):
    """Prices of actions that no technology has; of one in three only bytes in DRAM cost anything."""
    if draw.chance(1 / 3):
        return BYTES_ALONE
    prices = {name: draw.one(0.0, 0.01, 0.3, 2.7, 20.0) for name in COMPONENT_OF}
    return EnergyModel(prices_pj=prices, static_watts=draw.one(0.0, 0.2, 3.0))


def wild_kind(draw):
    """A preset with other switches."""
    loaded = load_hardware(draw.one(*PRESETS))
    preset = loaded.model
    engine = preset.tensor_engine.model_copy(
        update={
            "overlapped": draw.chance(0.5),
            "drain": draw.one("shift", "wire"),
            "stationary_load": draw.one("chain", "latch"),
            "dataflows": draw.one(("os", "ws"), ("os",), ("ws",), ("os", "ws", "is"), ("is", "os")),
            "swap_operands": draw.chance(0.5),
            "compressed_west": draw.chance(0.5),
            "compressed_moving": draw.chance(0.5),
            "spread_groups": draw.chance(0.3),
        }
    )
    policy = preset.policy.model_copy(
        update={
            "pre_generation": draw.chance(0.5),
            "overlap_update": draw.chance(0.5),
            "keep_on_chip": draw.chance(0.5),
        }
    )
    switches = {"patch_expansion": draw.chance(0.7), "zero_insertion": draw.chance(0.7)}
    buffers = preset.buffers.model_copy(update=switches)
    return _loaded(loaded, preset.model_copy(update={"tensor_engine": engine, "policy": policy, "buffers": buffers}))


def with_tile_overlap(loaded):
    """A design whose folds overlap, and its tiles."""
    engine = loaded.model.tensor_engine.model_copy(update={"overlapped": True, "tile_overlap": True})
    return _loaded(loaded, loaded.model.model_copy(update={"tensor_engine": engine}))


def with_shared_port(loaded):
    """A design whose operands share a port."""
    buffers = loaded.model.buffers.model_copy(update={"shared_port_bytes_per_cycle": 64})
    return _loaded(loaded, loaded.model.model_copy(update={"buffers": buffers}))


def _loaded(loaded, model):
    return dataclasses.replace(loaded, model=model, sha256=content_hash(model.model_dump_json()))
