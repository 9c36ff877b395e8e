"""What a simulated step prunes and training would not: products by weights that ``bisparse.apply`` leaves dense."""

from __future__ import annotations

from ...dataflow.schedule import Schedule
from ..results.simulation_result import OperatorResult
from ..results.trained_apart import TrainedApart
from .against_dense import ratio


def trained_apart(schedule: Schedule, rows: tuple[OperatorResult, ...], batch: int) -> TrainedApart | None:
    """Those weights, and the FLOP bound without them.

    Args:
        schedule: of the step.
        rows: the step's operators.
        batch: samples.
    """
    pruned, graph = schedule.pruned.prunings, schedule.pruned.graph
    products = {product.name: product for product in graph.products}
    apart = {
        name: product
        for name, product in products.items()
        if name in pruned and not pruned[name].pattern.is_dense and product.parameter in graph.dense_in_training
    }
    if not apart or graph.inference:
        return None
    dense = sum(product.geometry.asked_macs(batch) for product in graph.products if product.geometry is not None)
    useful = 0
    for row in rows:
        product = apart.get(row.name)
        geometry = None if product is None else product.geometry
        useful += row.useful_macs if geometry is None else geometry.macs(batch)
    names = dict.fromkeys(product.parameter for product in apart.values() if product.parameter is not None)
    return TrainedApart(parameters=tuple(names), flop_bound_speedup=ratio(dense, useful))
