"""Results that look like the real ones: a ResNet-18 step on the reference design, figures invented but consistent.

Every law that a reader of a report may lean on holds here: exposed cycles sum to the total, stalls sum to the total,
stages sum to the total, and the dense columns of the rows sum to the dense step.
"""

import math

from bisparse.dataflow.cycle_causes import CYCLE_CAUSES, STAGES
from bisparse.sim.results.dense_step import DenseStep, ScopeResult
from bisparse.sim.results.memory_results import MemoryPoint
from bisparse.sim.results.simulation_result import (
    Assumption,
    Breakdown,
    Input,
    Memory,
    OnChip,
    OperatorResult,
    SimulationResult,
)

PEAK = 1024
CLOCK_HZ = 200e6
BATCH = 512

# Which stage's operand each recipe prunes.
PRUNED = {
    "dense": {},
    "sr-ste": {"FF": "weight"},
    "sdgp": {"BP": "gradient"},
    "sdwp": {"BP": "weight"},
    "bdwp": {"FF": "weight", "BP": "weight"},
}

# module, input channels, output channels, kernel, output side
LAYERS = [
    ("conv1", 3, 64, 3, 64),
    *[(f"layer1.{block}.conv{i}", 64, 64, 3, 64) for block in (0, 1) for i in (1, 2)],
    ("layer2.0.conv1", 64, 128, 3, 32),
    ("layer2.0.conv2", 128, 128, 3, 32),
    ("layer2.0.downsample.0", 64, 128, 1, 32),
    ("layer3.0.conv1", 128, 256, 3, 16),
    ("layer3.0.conv2", 256, 256, 3, 16),
    ("layer3.0.downsample.0", 128, 256, 1, 16),
    ("layer4.0.conv1", 256, 512, 3, 8),
    ("layer4.0.conv2", 512, 512, 3, 8),
    ("layer4.0.downsample.0", 256, 512, 1, 8),
    ("fc", 512, 200, 1, 1),
]


def sample_result(recipe="bdwp", sparsity="2:8", *, module_prefix="", unknown=()):
    """A step of the recipe at the sparsity; ``module_prefix`` stands before every module's name."""
    if recipe == "dense":
        sparsity = "dense"
    rows = [row for layer in LAYERS for row in _layer_rows(layer, recipe, sparsity, module_prefix)]
    total = sum(row.cycles for row in rows)
    dense_total = sum(row.dense_cycles or 0 for row in rows)
    energy = sum(row.energy_joules for row in rows)
    dense_energy = sum(row.dense_energy_joules or 0.0 for row in rows)
    kept = sum(row.useful_macs for row in rows)
    dense_macs = sum(3 * _layer_macs(layer) for layer in LAYERS) - _layer_macs(LAYERS[0])
    gemm = [row for row in rows if row.engine == "tensor"]
    gemm_cycles, gemm_dense = sum(r.cycles for r in gemm), sum(r.dense_cycles for r in gemm)
    gemm_joules, gemm_dense_joules = sum(r.energy_joules for r in gemm), sum(r.dense_energy_joules for r in gemm)
    parts = {
        "multiply": 0.22,
        "accumulate": 0.2,
        "west buffer": 0.1,
        "north buffer": 0.06,
        "dram": 0.25,
        "static": 0.17,
    }
    return SimulationResult(
        bisparse_version="0.1.0",
        inputs={
            "hardware": Input(name="sat-vcu1525", sha256="1f" * 32),
            "workload": Input(name="resnet18-tinyimagenet", sha256="2e" * 32),
            "recipe": Input(name=recipe, sha256="3d" * 32),
            "energy_table": Input(name="16nm-fpga", sha256="4c" * 32),
        },
        title={
            "hardware": "SAT reference design on a Xilinx VCU1525",
            "recipe": f"{recipe.upper()}: a way to prune" if recipe != "dense" else "Dense training",
        },
        batch=BATCH,
        sparsity=sparsity,
        engine="analytic",
        objective="cycles",
        optimizer="sgd",
        clock_hz=CLOCK_HZ,
        total_cycles=total,
        step_seconds=total / CLOCK_HZ,
        energy_joules=energy,
        dram_read_bytes=sum(row.dram_read_bytes for row in rows),
        dram_write_bytes=sum(row.dram_write_bytes for row in rows),
        useful_macs=kept,
        issued_macs=sum(row.issued_macs for row in rows),
        peak_macs_per_cycle=PEAK,
        dram_bytes_per_cycle=384.0,
        array_utilisation=kept / (PEAK * gemm_cycles),
        speedup_vs_dense=dense_total / total,
        energy_ratio_vs_dense=energy / dense_energy,
        flop_bound_speedup=dense_macs / kept,
        by_stage={stage: sum(row.cycles for row in rows if row.stage == stage) for stage in STAGES},
        by_engine=_by_engine(rows, "cycles"),
        breakdown=_breakdown(rows),
        by_scope={
            "gemm": ScopeResult(
                total_cycles=gemm_cycles,
                energy_joules=gemm_joules,
                speedup_vs_dense=gemm_dense / gemm_cycles,
                energy_ratio_vs_dense=gemm_joules / gemm_dense_joules,
            ),
            "step": ScopeResult(
                total_cycles=total,
                energy_joules=energy,
                speedup_vs_dense=dense_total / total,
                energy_ratio_vs_dense=energy / dense_energy,
            ),
        },
        stalls={cause: sum(row.causes.get(cause, 0) for row in rows) for cause in CYCLE_CAUSES},
        energy_by_component={name: share * energy for name, share in parts.items()},
        candidates={"total": 41_230, "fewest": 118},
        unknown_operators=tuple(unknown),
        rows=tuple(rows),
        assumptions=_assumptions(),
        dense=DenseStep(
            total_cycles=dense_total,
            step_seconds=dense_total / CLOCK_HZ,
            energy_joules=dense_energy,
            dram_read_bytes=sum(row.dram_read_bytes for row in rows) + 1_000_000_000,
            dram_write_bytes=sum(row.dram_write_bytes for row in rows) + 1_000_000_000,
            array_utilisation=dense_macs / (PEAK * gemm_dense),
            by_stage={stage: sum(row.dense_cycles or 0 for row in rows if row.stage == stage) for stage in STAGES},
            by_engine=_by_engine(rows, "dense_cycles"),
            stalls=_dense_stalls(rows),
            energy_by_component={name: share * dense_energy for name, share in parts.items()},
        ),
        memory=sample_memory(),
        on_chip=OnChip(tensors=12, saved_bytes=250_000_000),
    )


def sample_memory(capacity_bytes=16_000_000_000):
    """A stash that grows over FF and shrinks over BP, on a card of 16 GB: 100 MB a layer on 200 MB of weights."""
    layers = [layer[0] for layer in LAYERS]
    forward = [
        MemoryPoint(operator=f"{name}:FF", stage="FF", bytes_by_category={"activations": 100_000_000 * (at + 1)})
        for at, name in enumerate(layers)
    ]
    backward = [
        MemoryPoint(
            operator=f"{name}:BP",
            stage="BP",
            bytes_by_category={
                "activations": 100_000_000 * (at + 1),
                "gradients": 50_000_000,
                "weight_gradients": 1_000_000 * (len(layers) - at),
            },
        )
        for at, name in reversed(list(enumerate(layers)))
    ]
    peak = 200_000_000 + sum(backward[0].bytes_by_category.values())
    return Memory(
        peak_bytes=peak,
        peak_operator=backward[0].operator,
        peak_stage="BP",
        capacity_bytes=capacity_bytes,
        fits=peak <= capacity_bytes,
        largest_batch=4100 if peak <= capacity_bytes else 96,
        across_steps_bytes=200_000_000,
        by_category={"master_weights": 120_000_000, "optimizer_state": 80_000_000} | backward[0].bytes_by_category,
        curve=(*forward, *backward),
    )


def _layer_macs(layer):
    _, inputs, outputs, kernel, side = layer
    return BATCH * side * side * kernel * kernel * inputs * outputs


def _layer_rows(layer, recipe, sparsity, prefix):
    name = layer[0]
    module = prefix + name
    for stage in ("FF", "BP", "WU"):
        if not (name == "conv1" and stage == "BP"):
            yield _product(layer, module, stage, recipe, sparsity)
    yield _vector(layer, module, "batch_norm", 6)
    yield _vector(layer, module, "batch_norm_backward", 10)
    weights = max(1, _layer_macs(layer) // (BATCH * layer[4] ** 2))
    yield _beside(module, "update", weights // 32, weights * 12, dense=True)
    if PRUNED[recipe]:
        yield _beside(module, "reduction", weights // 32, weights * 2, dense=False)


def _product(layer, module, stage, recipe, sparsity):
    name, inputs, outputs, _, side = layer
    operand = PRUNED[recipe].get(stage, "")
    reason = ""
    if operand and name == "conv1":
        operand, reason = "", "first convolution"
    kept, group = (int(part) for part in sparsity.split(":")) if operand else (1, 1)
    macs = _layer_macs(layer) * kept // group
    dense_busy = math.ceil(_layer_macs(layer) / PEAK / (0.96 if inputs > 3 else 0.55))
    busy = math.ceil(dense_busy * kept / group)
    causes = {"busy": busy, "fill_drain": busy // 40, "bubble": 0, "north": busy // 12 if operand else busy // 60}
    if operand:
        causes["west"] = busy // 5
    cycles = sum(causes.values())
    dense_cycles = dense_busy + dense_busy // 40 + dense_busy // 60
    activations = BATCH * side * side * (inputs + outputs) * 2
    return OperatorResult(
        name=f"{module}:{stage}",
        module=module,
        kind="linear" if name == "fc" else "convolution",
        stage=stage,
        engine="tensor",
        sparsity=sparsity if operand else "dense",
        pruned_operand=operand,
        dense_reason=reason or ("" if operand else f"{recipe} does not prune {stage}"),
        cycles=cycles,
        causes=causes,
        useful_macs=macs,
        issued_macs=macs,
        array_utilisation=macs / (PEAK * cycles),
        dram_read_bytes=activations,
        dram_write_bytes=activations // 3,
        buffer_bytes={"west": macs // 16, "north": macs // 32, "output": macs // 64},
        energy_joules=macs * 2.1e-12 + cycles / CLOCK_HZ * 3.2,
        energy_by_component={"multiply": macs * 2.1e-12, "static": cycles / CLOCK_HZ * 3.2},
        mapping="OS 32x32, interleave 4x1, tile 2048x64x576, order nmk",
        candidates=1200,
        limit="west port" if operand else "array",
        dense_cycles=dense_cycles,
        dense_energy_joules=_layer_macs(layer) * 2.1e-12 + dense_cycles / CLOCK_HZ * 3.2,
    )


def _vector(layer, module, kind, per_element):
    _, _, outputs, _, side = layer
    elements = BATCH * side * side * outputs
    cycles = elements * per_element // 64
    return OperatorResult(
        name=f"{module}:{kind}",
        module=module,
        kind=kind,
        stage="vector",
        engine="vector",
        cycles=cycles,
        hidden_cycles=cycles // 3,
        causes={"dependence": cycles},
        dram_read_bytes=elements * 4,
        dram_write_bytes=elements * 2,
        energy_joules=elements * per_element * 1.5e-12 + cycles / CLOCK_HZ * 3.2,
        limit="vector",
        dense_cycles=cycles,
        dense_energy_joules=elements * per_element * 1.5e-12 + cycles / CLOCK_HZ * 3.2,
    )


def _beside(module, engine, busy, read_bytes, *, dense):
    exposed = busy // 10
    joules = read_bytes * 1e-10
    return OperatorResult(
        name=f"{module}:{engine}",
        module=module,
        kind="parameter_update" if engine == "update" else "compression",
        stage=engine,
        engine=engine,
        cycles=exposed,
        hidden_cycles=busy - exposed,
        causes={engine: exposed},
        dram_read_bytes=read_bytes,
        dram_write_bytes=read_bytes // 2,
        energy_joules=joules,
        limit="dram" if engine == "update" else "reduction",
        dense_cycles=exposed if dense else None,
        dense_energy_joules=joules if dense else None,
    )


def _breakdown(rows):
    groups = {}
    for row in rows:
        groups.setdefault((row.stage, row.engine), []).append(row)
    return tuple(_summed(stage, engine, group) for (stage, engine), group in groups.items())


def _summed(stage, engine, rows):
    def nested(field):
        keys = dict.fromkeys(key for row in rows for key in getattr(row, field))
        return {key: sum(getattr(row, field).get(key, 0) for row in rows) for key in keys}

    plain = ("cycles", "hidden_cycles", "useful_macs", "issued_macs", "dram_read_bytes", "dram_write_bytes")
    sums = {field: sum(getattr(row, field) for row in rows) for field in (*plain, "energy_joules")}
    return Breakdown(
        stage=stage,
        engine=engine,
        operators=len(rows),
        array_utilisation=sums["useful_macs"] / (PEAK * sums["cycles"]) if sums["cycles"] else 0.0,
        causes=nested("causes"),
        buffer_bytes=nested("buffer_bytes"),
        energy_by_component=nested("energy_by_component"),
        **sums,
    )


def _by_engine(rows, column):
    engines = ("tensor", "vector", "update", "reduction")
    busy = {
        engine: sum((getattr(row, column) or 0) + row.hidden_cycles for row in rows if row.engine == engine)
        for engine in engines
    }
    return {**busy, "dram": busy["tensor"] // 3}


def _dense_stalls(rows):
    stalls = dict.fromkeys(CYCLE_CAUSES, 0)
    for row in rows:
        cycles = row.dense_cycles or 0
        if row.engine == "tensor":
            stalls["busy"] += cycles - cycles // 40 - cycles // 60
            stalls["fill_drain"] += cycles // 40
            stalls["north"] += cycles // 60
        else:
            stalls[{"vector": "dependence"}.get(row.engine, row.engine)] += cycles
    return stalls


def _assumptions():
    return (
        Assumption(parameter="hardware.clock_hz", value=CLOCK_HZ, status="assumed", source="usual for FP16 arrays"),
        Assumption(parameter="hardware.tensor_engine.rows", value=32, status="assumed", source="not public"),
        Assumption(parameter="hardware.tensor_engine.cols", value=32, status="assumed", source="not public"),
        Assumption(
            parameter="hardware.tensor_engine.dataflows",
            value=["os", "ws"],
            status="published",
            source="arXiv 2309.13015: interconnect switches between OS and WS",
        ),
        Assumption(
            parameter="hardware.dram.channel_bytes_per_second",
            value=19.2e9,
            status="derived",
            source="DDR4-2400, 64 bits: 2400 MT/s x 8 bytes",
        ),
        Assumption(parameter="energy.fp16_multiply_pj", value=1.1, status="published", source="Horowitz, ISSCC 2014"),
        Assumption(parameter="run.batch", value=BATCH, status="given", source="asked for on the command line"),
    )
