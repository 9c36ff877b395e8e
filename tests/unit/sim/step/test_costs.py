"""What is foreseen of many products on many designs, side by side, is what each one costs by itself."""

from dataclasses import fields

import numpy as np
import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.pattern import Pattern
from bisparse.dataflow.design_table import DesignTable
from bisparse.dataflow.epilogue import NO_EPILOGUE, Epilogue
from bisparse.dataflow.forms import search_forms
from bisparse.dataflow.gemm import Gemm
from bisparse.dataflow.mapping import ArrayMapping, Mapping
from bisparse.dataflow.works import PlannedProduct
from bisparse.sim.step import costs
from bisparse.sim.step.costs import Asked, CostCache
from bisparse.training.graph import Stage

SAT = load_hardware("sat-vcu1525").model
ENGINE, DRAM = SAT.tensor_engine, SAT.dram
TABLE = DesignTable(
    designs=[
        SAT,
        SAT.model_copy(update={"tensor_engine": ENGINE.model_copy(update={"rows": 16, "cols": 24})}),
        SAT.model_copy(update={"dram": DRAM.model_copy(update={"channel_bytes_per_second": 3e9})}),
    ]
)


def product(m, n, k, **given):
    gemm = Gemm(name=f"{m}", operator="any", stage=Stage.FORWARD, m=m, n=n, k=k, **given)
    # Where designs are many the mapping is what was found on each, and not that of the product.
    mapping = Mapping(array=ArrayMapping(dataflow="os"), tile_m=1, tile_n=1, tile_k=1, order="mnk")
    return PlannedProduct(gemm=gemm, mapping=mapping, candidates=1)


PRODUCTS = (
    product(100, 64, 900),
    product(333, 48, 64),
    product(64, 100, 512, count=3),
    product(250, 96, 288, b=Pattern(2, 8)),
    product(700, 31, 64, b=Pattern(2, 8)),
)
SEARCHES = {each.gemm.shape_key: search_forms(each.gemm, TABLE, np.arange(3)) for each in PRODUCTS}


def mapped_on(product, rows, stays):
    return SEARCHES[product.gemm.shape_key].mapped(rows, stays)


def staying(designs, **places):
    return {place: np.array(places.get(place, [False] * designs)) for place in ("a", "b", "c")}


RIDES = Epilogue(lane_operations=4e5, moved_bytes=90_000, result_elements=50_000, result_bytes=100_000)
RIDES_ON_EACH = Epilogue(
    lane_operations=7e3,
    moved_bytes=np.array([60_000, 0]).reshape(-1, 1, 1),
    result_elements=40_000,
    result_bytes=80_000,
)
ALL, TWO = np.arange(3), np.array([0, 2])
ASKED = [
    Asked(products=PRODUCTS[:3], rows=ALL, stays=staying(3, a=[True, False, True]), epilogue=NO_EPILOGUE),
    Asked(products=PRODUCTS[1:], rows=TWO, stays=staying(2, c=[False, True]), epilogue=NO_EPILOGUE),
    Asked(products=PRODUCTS[1:], rows=ALL, stays=staying(3, b=[True, True, False]), epilogue=RIDES),
    Asked(products=PRODUCTS[:4], rows=TWO, stays=staying(2, a=[False, True]), epilogue=RIDES_ON_EACH),
    Asked(products=PRODUCTS, rows=ALL, stays=None, epilogue=None),
]


def told(figures, designs):
    """All numbers of figures, at any depth, one a design."""
    if isinstance(figures, dict):
        return {name: told(each, designs) for name, each in figures.items()}
    if isinstance(figures, tuple):
        return [told(each, designs) for each in figures]
    if hasattr(figures, "__dataclass_fields__"):
        return {each.name: told(getattr(figures, each.name), designs) for each in fields(figures)}
    return np.broadcast_to(figures, designs).tolist()


def answers(cache, asked):
    for each in asked:
        for product in each.products:
            if each.epilogue is None:
                yield told(cache.demand(product, each.rows), len(each.rows))
            else:
                rest = product, each.rows, each.stays
                yield told(cache.cost(*rest, each.epilogue), len(each.rows))
                yield told(cache.bare_cycles(*rest), len(each.rows))


@pytest.mark.parametrize("most", [1024, 4])
def test_side_by_side_costs_are_those_of_each_product_alone(monkeypatch, most):
    monkeypatch.setattr(costs, "_SIDE_BY_SIDE", most)
    foreseen, alone = CostCache(mapped_on=mapped_on), CostCache(mapped_on=mapped_on)
    foreseen.foresee(ASKED)
    kinds = {key[0] for key in foreseen._known}
    assert kinds == {"mapped", "cost", "bare", "demand"}
    assert list(answers(foreseen, ASKED)) == list(answers(alone, ASKED))


def test_what_is_foreseen_is_not_worked_out_again():
    cache = CostCache(mapped_on=mapped_on)
    cache.foresee(ASKED)
    known = set(cache._known)
    for each in ASKED[2:4]:
        for product in each.products:
            cache.cost(product, each.rows, each.stays, each.epilogue)
            cache.bare_cycles(product, each.rows, each.stays)
    assert set(cache._known) == known
