"""A design that counts in small whole numbers, and schedules made by hand for it."""

from bisparse.accel.specification import load_hardware
from bisparse.configs.pattern import DENSE
from bisparse.dataflow.gemm import Gemm
from bisparse.dataflow.mapping import ArrayMapping, Mapping
from bisparse.dataflow.works import Access, ChainedVectorWork, Fused, PlannedProduct, TensorWork, UpdateWork, VectorWork
from bisparse.sim.witness.event_agreement import bare_schedule
from bisparse.training.graph import Stage

SAT = load_hardware("sat-vcu1525").model
GHZ = 1e9


def small_design(
    *, rows=1, cols=1, bytes_per_cycle=4, latency_cycles=0, lanes=1, tiles_held=2, output_bytes=1 << 22, **engine
):
    """One clock of 1 GHz, FP16, every latency 1, nothing overlapped; wide ports; no bytes lost where a run ends."""
    textbook = {
        "rows": rows,
        "cols": cols,
        "mac_latency": 1,
        "accumulate_latency": 1,
        "register_depth": 1,
        "overlapped": False,
        "drain": "wire",
        "stationary_load": "chain",
        "dataflows": ("os", "ws", "is"),
    }
    dram = {
        "channels": 1,
        "channel_bytes_per_second": bytes_per_cycle * GHZ,
        "latency_seconds": latency_cycles / GHZ,
        "run_overhead_bytes": 0,
        "burst_bytes": 1,
    }
    wide = {
        side: getattr(SAT.buffers, side).model_copy(update={"port_bytes_per_cycle": 1 << 20})
        for side in ("west", "north", "output")
    }
    wide["output"] = wide["output"].model_copy(update={"capacity_bytes": output_bytes})
    return SAT.model_copy(
        update={
            "clock_hz": GHZ,
            "tensor_engine": SAT.tensor_engine.model_copy(update=textbook | engine),
            "dram": SAT.dram.model_copy(update=dram),
            "buffers": SAT.buffers.model_copy(update=wide | {"tiles_held": tiles_held}),
            "vector_engine": SAT.vector_engine.model_copy(update={"lanes": lanes}),
            "update_engine": SAT.update_engine.model_copy(update={"lanes": lanes}),
            "reduction_engine": SAT.reduction_engine.model_copy(update={"lanes": lanes}),
        }
    )


def product(m, n, k, *, tile, order="mnk", pattern=DENSE, **fields):
    """One product, output stationary, in tiles given by hand; operand B pruned if a pattern is given."""
    gemm = Gemm(
        name=f"{m}x{n}x{k}",
        operator="work",
        stage=Stage.FORWARD,
        m=m,
        n=n,
        k=k,
        b=pattern,
        **fields,
    )
    mapping = Mapping(array=ArrayMapping(dataflow="os"), tile_m=tile[0], tile_n=tile[1], tile_k=tile[2], order=order)
    return PlannedProduct(gemm=gemm, mapping=mapping, candidates=1)


def tensor(*products, name="work", fused_operators=()):
    return TensorWork(
        operator=name,
        module="",
        kind="linear",
        stage=Stage.FORWARD,
        products=products,
        useful_macs=0,
        dense_macs=0,
        fused=Fused(works=fused_operators),
    )


def vector_work(lane_operations, read_bytes, write_bytes, name="vector"):
    return VectorWork(
        operator=name,
        module="",
        kind="add",
        stage=Stage.FORWARD,
        lane_operations=lane_operations,
        reads=(Access(tensor="in", tensor_bytes=read_bytes),),
        writes=(Access(tensor="out", tensor_bytes=write_bytes),),
    )


def vector(*figures):
    return ChainedVectorWork(head=vector_work(*figures))


def update(weights, *, read_bytes, write_bytes, ready_after=0, reductions=(), name="update"):
    return UpdateWork(
        operator=name,
        module="",
        parameter=name,
        weights=weights,
        ready_after=ready_after,
        read_bytes=read_bytes,
        write_bytes=write_bytes,
        multiplies=weights,
        accumulates=weights,
        reductions=reductions,
    )


def schedule(hardware, *works, updates=(), overlap=True):
    return bare_schedule("by hand", hardware, works, updates, overlap_update=overlap)
