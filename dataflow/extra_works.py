"""The works of what a recipe costs beside products and masks, at the end of a step, one after another.

Each is priced on the engine that does it. Reduction engine: ``top-k`` and ``permutation-search`` stream all elements
through the sorters in groups of M, or of the largest group that they sort where the format has none; each element
meets the N that are kept. ``sort`` merges G sorted lists at a time, G the largest group: ceil(log n / log G) passes,
each but the last written back. Vector engine, an operation a lane and cycle: ``threshold`` compares each element and
writes a bit, ``mask-update`` changes such bits, ``average`` adds up copies of the weights, ``group-step`` reads them
once more and writes them, where a rule must see a whole group of them first. Tensor engine:
``score-product``, an operand [m, k] (tokens by inputs) times [k, rank], or of a weight [inputs, rank] times [rank,
outputs], and ``predictor-product``, the former and the product with [rank, outputs] that predicts a layer's result.

Weights and their gradients are read as FP32 (the master copy, the sum), activations and output gradients in operand
precision, all from DRAM unless they pass anyway. Assumed: nothing runs beside these works but updates. Not modelled:
what a predictor's own learning costs. Source: docs/recipes.md, "Extra work".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..accel.specification import BYTES_OF, Hardware
from ..training.graph import Convolution, MatrixProduct, Operator, Stage
from ..training.recipes.annotation import PrunedGraph, Pruning
from ..training.recipes.extra_work import PRODUCTS, SORTED, ExtraWork
from .gemm import SUM_BYTES, Gemm
from .works import Access, ChainedVectorWork, PlannedProduct, TensorWork, VectorWork, Work

_STAGES = {
    "weights": Stage.UPDATE,
    "weight-gradients": Stage.UPDATE,
    "activations": Stage.FORWARD,
    "output-gradients": Stage.BACKWARD,
}
"""Where the elements of a piece of work belong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Operand:
    """Elements that are worked on.

    Attributes:
        name: of the work in a schedule, with what it is of.
        module: that they belong to; empty of the whole network.
        elements: how many.
        pruning: of the product that they are an operand of; None of a step on groups, which is of all layers.
        product: that product.
    """

    name: str
    module: str
    elements: int
    pruning: Pruning | None
    product: Operator


def extra_works(
    pruned: PrunedGraph, hardware: Hardware, batch: int, plan: Callable[[Gemm], PlannedProduct]
) -> tuple[Work, ...]:
    """The works of what a recipe does in every step.

    Args:
        pruned: graph and recipe.
        hardware: the design.
        batch: samples.
        plan: maps products.

    Raises:
        MappingError: a product has no legal mapping.
    """
    works: list[Work] = []
    for item in pruned.recipe.extra_work:
        # Weights that nothing updates have no masks to be found.
        if item.in_every_step and (item.of == "activations" or not pruned.graph.inference):
            for operand in _operands(pruned, item, batch):
                works.append(_work(item, operand, hardware, batch, plan))
    return tuple(works)


def sort_passes(elements: int, group: int) -> int:
    """Passes that sort a list by merging so many sorted ones at a time.

    >>> sort_passes(1_000_000, 32), sort_passes(32, 32), sort_passes(1, 32)
    (4, 1, 1)
    """
    passes, sorted_run = 1, group
    while sorted_run < elements:
        passes, sorted_run = passes + 1, sorted_run * group
    return passes


# What is worked on ----------------------------------------------------------------------------------------------------


def _operands(pruned: PrunedGraph, item: ExtraWork, batch: int) -> Iterator[_Operand]:
    found = list(_of_layers(pruned, item, batch))
    if item.whole_network and found:
        every = sum(each.elements for each in found)
        first = found[0]
        yield _Operand(name=item.title, module="", elements=every, pruning=first.pruning, product=first.product)
    else:
        yield from found


def _of_layers(pruned: PrunedGraph, item: ExtraWork, batch: int) -> Iterator[_Operand]:
    """Of every layer that is pruned, once: a weight may be pruned in two stages."""
    graph, seen = pruned.graph, set[str]()
    of_weights = item.of in ("weights", "weight-gradients")
    for product in _products(pruned, item):
        assert product.parameter is not None, "products of two activations are never pruned"
        tensor = product.parameter if of_weights else product.inputs[0]
        if tensor in seen:
            continue
        seen.add(tensor)
        yield _Operand(
            name=f"{product.parameter if of_weights else product.name}:{item.title}",
            module=product.module,
            elements=graph.tensors[tensor].elements(batch),
            pruning=pruned.prunings.get(product.name),
            product=product,
        )


def _products(pruned: PrunedGraph, item: ExtraWork) -> Iterator[Operator]:
    """The products that are pruned; of activations those forwards, of output gradients those backwards.

    Groups are of all layers that the work names, pruned or not.
    """
    if item.work == "group-step":
        for product in pruned.graph.products:
            layer = (product.parameter or "").removesuffix(".weight")
            if product.stage is Stage.FORWARD and layer in item.layers:
                yield product
        return
    stage = {"activations": Stage.FORWARD, "output-gradients": Stage.BACKWARD}.get(item.of)
    forward = {
        each.parameter for each in pruned.graph.products if each.stage is Stage.FORWARD and each.name in pruned.prunings
    }
    for product in pruned.graph.products:
        if product.name not in pruned.prunings or pruned.prunings[product.name].pattern.is_dense:
            continue
        if item.work in PRODUCTS and product.parameter in forward:
            # A product is told as the forward pass has it, whatever other stage is pruned.
            if product.stage is Stage.FORWARD:
                yield product
        elif stage is None or product.stage is stage:
            yield product


# What is done ---------------------------------------------------------------------------------------------------------


def _work(
    item: ExtraWork, operand: _Operand, hardware: Hardware, batch: int, plan: Callable[[Gemm], PlannedProduct]
) -> Work:
    if item.work in PRODUCTS:
        return _product(item, operand, batch, plan)
    if item.work in SORTED:
        return ChainedVectorWork(head=_sorted(item, operand, hardware))
    return ChainedVectorWork(head=_on_lanes(item, operand, hardware))


def _element_bytes(item: ExtraWork, hardware: Hardware) -> int:
    in_full = item.of in ("weights", "weight-gradients")
    return SUM_BYTES if in_full else BYTES_OF[hardware.tensor_engine.precision]


def _moved(item: ExtraWork, moved_bytes: float) -> tuple[Access, ...]:
    return () if item.passing or not moved_bytes else (Access(tensor="", tensor_bytes=math.ceil(moved_bytes)),)


def _sorted(item: ExtraWork, operand: _Operand, hardware: Hardware) -> VectorWork:
    elements, largest = operand.elements, hardware.reduction_engine.largest_group
    whole = elements * _element_bytes(item, hardware)
    assert operand.pruning is not None, "what is sorted is pruned"
    pattern = operand.pruning.pattern
    if item.work == "sort":
        passes = math.ceil(item.passes * sort_passes(elements, largest))
        kept, group = largest, largest
        read, written = float(passes * whole), float((passes - 1) * whole)
        reductions = ((elements, kept, group),) * passes
    else:
        if pattern.is_irregular:
            kept, group = max(1, round(pattern.density * largest)), largest
        else:
            kept, group = pattern.sorted_kept, pattern.sorted_group
        read, written = float(whole), elements / 8
        reductions = ((round(elements * item.passes), kept, group),)
    return VectorWork(
        operator=operand.name,
        module=operand.module,
        kind=item.work,
        stage=_STAGES[item.of],
        lane_operations=0.0,
        reads=_moved(item, read),
        writes=_moved(item, written),
        reductions=reductions,
    )


def _on_lanes(item: ExtraWork, operand: _Operand, hardware: Hardware) -> VectorWork:
    elements = operand.elements
    whole, mask = float(elements * _element_bytes(item, hardware)), elements / 8
    match item.work:
        case "average":
            read, written = item.passes * whole, whole
        case "mask-update":
            read, written = mask, mask
        case "group-step":
            read, written = whole, whole
        case _:
            read, written = whole, mask
    return VectorWork(
        operator=operand.name,
        module=operand.module,
        kind=item.work,
        stage=_STAGES[item.of],
        lane_operations=item.passes * elements,
        reads=_moved(item, read),
        writes=_moved(item, written),
    )


def _product(item: ExtraWork, operand: _Operand, batch: int, plan: Callable[[Gemm], PlannedProduct]) -> TensorWork:
    assert item.rank is not None, "a product says its rank"
    rows, inputs, outputs = _sides(operand.product, batch)
    if item.of == "weights":
        sides = [(inputs, outputs, item.rank)]
    else:
        sides = [(rows, item.rank, inputs)]
        if item.work == "predictor-product":
            sides.append((rows, outputs, item.rank))
    gemms = [
        Gemm(name=f"{operand.name}[{number}]", operator=operand.name, stage=Stage.FORWARD, m=m, n=n, k=k)
        for number, (m, n, k) in enumerate(sides)
    ]
    return TensorWork(
        operator=operand.name,
        module=operand.module,
        kind=item.work,
        stage=Stage.FORWARD,
        products=tuple(plan(gemm) for gemm in gemms),
        useful_macs=sum(gemm.m * gemm.n * gemm.k for gemm in gemms),
        dense_macs=0,
    )


def _sides(product: Operator, batch: int) -> tuple[int, int, int]:
    """Rows of a layer's forward product, its inputs and its outputs; patches of a convolution are rows of inputs."""
    geometry = product.geometry
    if isinstance(geometry, Convolution):
        positions = geometry.input_size if geometry.transposed else geometry.output_size
        taps = math.prod(geometry.kernel)
        inputs = geometry.in_channels // geometry.groups * taps
        return geometry.batch.at(batch) * math.prod(positions), inputs, geometry.out_channels
    assert isinstance(geometry, MatrixProduct), "only products are pruned"
    m, n, k = (size.at(batch) for size in (geometry.m, geometry.n, geometry.k))
    return (m, n, k) if product.stage is Stage.BACKWARD else (m, k, n)
