"""What a graph must satisfy beyond the form of its document.

Geometry that a network can have, kinds that have a price, operators in execution order, and multiply-accumulates that
agree with torch's own count. What breaks one of these would be simulated into figures of no network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..configs.limits import MOST_DIGITS
from ..configs.vector_kinds import VECTOR_KINDS
from .graph import Convolution, MatrixAxis, MatrixProduct, Operator, Size, Stage, TrainingGraph
from .graph_fault import refuse, refuse_word

PRODUCT_KINDS = ("convolution", "linear", "matmul")
UPDATE_KIND = "parameter_update"
COUNTED_STAGES = {"forward": (Stage.FORWARD,), "backward": (Stage.BACKWARD, Stage.WEIGHT_GRADIENT)}
"""The stages that each pass of torch's counter covers."""

_EXTENTS = ("input_size", "output_size", "kernel", "stride", "dilation")


def check_convolution(shape: Convolution, where: str) -> None:
    """Extents that are positive, groups that divide the channels, and an output of the size that they make.

    Raises:
        GraphFormatError: they are not so.
    """
    check_positive(shape.batch, f"{where}.batch")
    for name in ("groups", "in_channels", "out_channels"):
        count = getattr(shape, name)
        if count < 1:
            refuse(f"{where}.{name}", count, "at least 1")
    for name in ("in_channels", "out_channels"):
        if getattr(shape, name) % shape.groups:
            refuse(f"{where}.groups", shape.groups, f"a divisor of {name} ({getattr(shape, name)})")
    if not 1 <= len(shape.kernel) <= 3:
        refuse(f"{where}.kernel", list(shape.kernel), "1 to 3 axes")
    for name in _EXTENTS:
        if min(getattr(shape, name)) < 1:
            refuse(f"{where}.{name}", list(getattr(shape, name)), "extents of at least 1")
    _check_output_size(shape, where)


def _check_output_size(shape: Convolution, where: str) -> None:
    axes = zip(
        shape.input_size, shape.output_size, shape.kernel, shape.stride, shape.padding, shape.dilation, strict=True
    )
    for axis, (entering, leaving, kernel, stride, padding, dilation) in enumerate(axes):
        reach = dilation * (kernel - 1) + 1
        if shape.transposed:
            least = (entering - 1) * stride - 2 * padding + reach
            # Torch lets the output padding be anything below the stride or the dilation.
            most = least + max(stride, dilation) - 1
        else:
            least = most = (entering + 2 * padding - reach) // stride + 1
        if not least <= leaving <= most:
            need = str(least) if least == most else f"{least} to {most}"
            refuse(
                f"{where}.output_size",
                list(shape.output_size),
                f"{need} on axis {axis}, as input_size, kernel, stride, padding and dilation make it",
            )


def check_matrix_product(product: MatrixProduct, where: str) -> None:
    """Sides of at least 1, loads of the groups where there are groups, queries and keys where there is a mask.

    Raises:
        GraphFormatError: they are not so.
    """
    for name in ("m", "n", "k", "count"):
        check_positive(getattr(product, name), f"{where}.{name}")
    if product.causal is not None:
        _check_causal(product, product.causal, where)
    if product.grouped is None:
        if product.loads:
            refuse(f"{where}.loads", list(product.loads), f"none without {where}.grouped")
        return
    if not any(product.loads):
        refuse(f"{where}.loads", list(product.loads), "one a group, one of them at least 1")
    if product.count != Size(fixed=1):
        refuse(f"{where}.count", "a count", f"none beside {where}.grouped: each group is a product")


def _check_causal(product: MatrixProduct, causal: tuple[MatrixAxis, MatrixAxis], where: str) -> None:
    if causal[0] == causal[1]:
        refuse(f"{where}.causal", list(causal), "an axis of queries and another one of keys")
    if product.grouped is not None:
        refuse(f"{where}.causal", list(causal), f"none beside {where}.grouped")
    for axis in causal:
        size: Size = getattr(product, axis)
        if size.per_sample:
            refuse(f"{where}.{axis}", "an extent that grows with the batch", f"a fixed one, as {where}.causal has")


def check_positive(size: Size, where: str) -> None:
    """A size that is at least 1 at every batch.

    Raises:
        GraphFormatError: it is not.
    """
    if size.fixed + size.per_sample < 1:
        refuse(where, size.fixed, "at least 1")


def check_kind(operator: Operator, where: str) -> None:
    """A kind that goes with the operator's stage and geometry, and the tensors that the kind needs.

    Raises:
        GraphFormatError: it does not, or one is missing.
    """
    if operator.stage is Stage.UPDATE:
        if operator.kind != UPDATE_KIND:
            refuse(f"{where}.kind", operator.kind, f"{UPDATE_KIND}: the only kind in stage update")
        if operator.geometry is not None:
            refuse(f"{where}.geometry", "a geometry", "none in stage update")
    elif operator.geometry is not None:
        _check_product(operator, where)
    elif operator.kind in PRODUCT_KINDS:
        refuse(f"{where}.geometry", None, f"the geometry of a {operator.kind}")
    elif operator.kind not in VECTOR_KINDS:
        refuse_word(f"{where}.kind", operator.kind, "a kind of vector operation", VECTOR_KINDS)
    if operator.parameter is None and operator.kind in ("linear", UPDATE_KIND):
        refuse(f"{where}.parameter", None, f"the weight of a {operator.kind}")


def _check_product(operator: Operator, where: str) -> None:
    fitting = PRODUCT_KINDS[:1] if isinstance(operator.geometry, Convolution) else PRODUCT_KINDS[1:]
    if operator.kind not in fitting:
        refuse_word(f"{where}.kind", operator.kind, f"{' or '.join(fitting)}, as its geometry says", fitting)
    if len(operator.inputs) < 2:
        refuse(f"{where}.inputs", list(operator.inputs), "the two operands of a product")
    if not operator.outputs:
        refuse(f"{where}.outputs", [], "the result of a product")


def check_order(operators: Sequence[Operator]) -> None:
    """Execution order: a tensor is made once, and before it is read.

    Raises:
        GraphFormatError: there is no operator, or the order is broken; so it is by a cycle.
    """
    if not operators:
        refuse("operators", [], "at least one operator")
    made_at: dict[str, int] = {}
    for index, operator in enumerate(operators):
        for name in operator.outputs:
            if name in made_at:
                refuse(
                    f"operators[{index}].outputs", name, f"a tensor that {operators[made_at[name]].name} does not make"
                )
            made_at[name] = index
    for index, operator in enumerate(operators):
        for name in operator.inputs:
            if made_at.get(name, -1) >= index:
                refuse(
                    f"operators[{index}].inputs",
                    name,
                    f"a tensor made earlier: {operators[made_at[name]].name} makes it, and stands no earlier",
                )


def _sides(product: Operator) -> tuple[Size, ...]:
    geometry = product.geometry
    if isinstance(geometry, MatrixProduct):
        return geometry.m, geometry.n, geometry.k, geometry.count
    return (geometry.batch,) if geometry is not None else ()


def check_counts(graph: TrainingGraph) -> None:
    """Multiply-accumulates counted by torch that are those of the graph's own products.

    Raises:
        GraphFormatError: they differ, or a pass is named that does not exist.
    """
    # Where data are shared out, products are whole at multiples of the shares.
    whole = math.lcm(*{size.samples for product in graph.products for size in _sides(product)})
    if whole >= 10**MOST_DIGITS:
        refuse("operators", "sizes by shares of the batch", f"shares that are whole within {MOST_DIGITS} digits")
    batches = (whole, 2 * whole, -(-graph.default_batch // whole) * whole)
    for name, counted in graph.counted_macs.items():
        if name not in COUNTED_STAGES:
            refuse_word(f"counted_macs.{name}", name, " or ".join(COUNTED_STAGES), COUNTED_STAGES)
        for batch in batches:
            own = graph.macs(batch, *COUNTED_STAGES[name])
            if own != counted.at(batch):
                refuse(
                    f"counted_macs.{name}",
                    f"{counted.at(batch)} at batch {batch}",
                    f"{own}, the multiply-accumulates of the operators",
                )


def check_tensors(graph: TrainingGraph) -> None:
    """Results and weights that their tensors have room for, and an update for every gradient of a parameter.

    Operands may be views: a part of their tensor, or one part many times. A result may be written into a larger tensor,
    but not into a smaller one; nor is a weight larger than its parameter.

    Raises:
        GraphFormatError: they are not so.
    """
    batch = max(2, graph.default_batch)
    for index, operator in enumerate(graph.operators):
        if operator.geometry is None:
            continue
        made = graph.tensors[operator.outputs[0]].elements(batch)
        least = _result_elements(operator, batch)
        if made < least:
            refuse(
                f"operators[{index}].outputs",
                f"{operator.outputs[0]} of {made} elements at batch {batch}",
                f"at least {least}, as the geometry of {operator.name} makes them",
            )
        weight = graph.tensors[operator.inputs[1]]
        # Of a complex weight, whose parts are its last axis, each number is read four times over two parts.
        reads = 2 if weight.shape and weight.shape[-1] == Size(fixed=2) else 1
        if weight.role == "parameter" and reads * weight.elements(batch) < _weight_elements(operator, batch):
            refuse(
                f"operators[{index}].inputs",
                f"{weight.name} of {weight.elements(batch)} elements",
                f"at least {_weight_elements(operator, batch)}, as the geometry of {operator.name} reads them",
            )
    updated = {name for operator in graph.operators if operator.stage is Stage.UPDATE for name in operator.inputs}
    for name, tensor in graph.tensors.items():
        if tensor.role == "parameter_gradient" and name not in updated:
            refuse("operators", f"no update that reads {name}", "one for each gradient of a parameter")


def _result_elements(operator: Operator, batch: int) -> int:
    geometry = operator.geometry
    if isinstance(geometry, MatrixProduct):
        return geometry.m.at(batch) * geometry.n.at(batch) * geometry.count.at(batch)
    assert geometry is not None, "only products have a result to be checked"
    if operator.stage is Stage.WEIGHT_GRADIENT:
        return _kernel_elements(geometry)
    entering = operator.stage is Stage.BACKWARD
    channels = geometry.in_channels if entering else geometry.out_channels
    size = geometry.input_size if entering else geometry.output_size
    return geometry.batch.at(batch) * channels * math.prod(size)


def _weight_elements(operator: Operator, batch: int) -> int:
    geometry = operator.geometry
    if isinstance(geometry, MatrixProduct):
        return geometry.k.at(batch) * geometry.n.at(batch)
    assert geometry is not None, "only products have a weight to be checked"
    return _kernel_elements(geometry)


def _kernel_elements(geometry: Convolution) -> int:
    return geometry.in_channels * geometry.out_channels // geometry.groups * math.prod(geometry.kernel)
