"""Grouped products: experts, each of which multiplies the rows that are routed to it by a weight of its own.

Two spellings of one computation are written down as one product with its rows shared out among the groups:

- torch's grouped product of rows sorted by expert, ``_grouped_mm``, forward and both gradients;
- a weight picked for every row by an index that data decide (``weights[expert]``), a batched product of rows and picked
  weights, and in the backward pass a gradient for every picked weight, added up by expert. No copy of a weight for
  every row is charged: hardware runs it as the other spelling. Where anything else reads the picked weights they are a
  copy like any other.

How many rows a group has depends on data that no capture sees: all alike, as training with a balancing loss aims at,
or in proportion to a load that is given.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from ...configs.errors import CaptureError
from ..graph import MatrixAxis, MatrixProduct, Size
from .drafts import Category, Draft, Gather, Outer, Value
from .step_record import Call, StepRecord, new_value


def product(record: StepRecord, call: Call) -> bool:
    """``_grouped_mm(A, B, offsets)``: the axis along which an operand has no group of its own is shared out.

    A [rows, k] by B [groups, k, n]: the rows; A [groups, m, k] by B [k, columns]: the columns; A [m, rows] by
    B [rows, n], the weight gradient: the contraction. Both of three axes: a batched product.
    """
    left, right = call.args[:2]
    offsets, bias = call.argument(2, "offs"), call.argument(3, "bias")
    axes: dict[tuple[int, int], MatrixAxis] = {(2, 3): "m", (3, 2): "n", (2, 2): "k"}
    axis = axes.get((left.dim(), right.dim()))
    geometry = MatrixProduct(m=Size(left.shape[-2]), n=Size(right.shape[-1]), k=Size(left.shape[-1]))
    if axis is None:
        geometry = replace(geometry, count=Size(left.shape[0]))
    else:
        groups = offsets.shape[0]
        geometry = replace(geometry, grouped=axis, loads=_loads(record, groups))
    draft = record.draft(
        "product", f"aten.{call.name}", [record.value_of(left), record.value_of(right)], geometry=geometry
    )
    if bias is None:
        record.finish(draft, [call.target], [])
    else:
        record.finish_with_addend(draft, bias, call.target)
    return True


def pick(record: StepRecord, call: Call) -> bool:
    """``weights[index]`` of a parameter [groups, ...] of three axes or more: put off until something reads it."""
    table, picked = call.args[0], _index_of_rows(call)
    if picked is None or table.dim() < 3 or record.context.in_backward:
        return False
    value = record.known(table)
    if value is None or value.category is not Category.PARAMETER:
        return False
    inputs = [value, record.value_of(picked)]
    draft = record.draft("copy", f"aten.{call.name}", inputs, elements=(call.target.numel(),))
    result = new_value(call.target, Category.ACTIVATION, frozenset())
    result.gather = Gather(table=value, rows=picked.numel(), groups=table.shape[0], draft=draft)
    draft.outputs.append(result)
    record.bind(call.target, result)
    return True


def _index_of_rows(call: Call) -> torch.Tensor | None:
    """The integer index along the first axis, where it is one that picks rows."""
    if call.name == "index_select":
        return call.args[2] if call.args[1] == 0 else None
    index, *rest = call.args[1]
    plain = isinstance(index, torch.Tensor) and not any(isinstance(other, torch.Tensor) for other in rest)
    return index if plain and index.dtype in (torch.int32, torch.int64) else None


def operands(
    record: StepRecord, left: torch.Tensor, right: torch.Tensor, geometry: MatrixProduct
) -> tuple[Value, Value, MatrixProduct] | None:
    """Operands and geometry of a batched product of rows and picked weights; None of any other product."""
    picked = [_picked(record, tensor, geometry) for tensor in (left, right)]
    of_left, of_right = picked
    if (of_left is None) == (of_right is None):
        return None
    each = geometry.count.fixed
    if of_right is not None:
        rows = replace(geometry, m=geometry.m * each, count=Size(1), grouped="m", loads=_loads(record, of_right.groups))
        return record.value_of(left), of_right.table, rows
    assert of_left is not None
    columns = replace(geometry, n=geometry.n * each, count=Size(1), grouped="n", loads=_loads(record, of_left.groups))
    return of_left.table, record.value_of(right), columns


def _picked(record: StepRecord, tensor: torch.Tensor, geometry: MatrixProduct) -> Gather | None:
    value = record.known(tensor)
    gather = None if value is None else value.gather
    return gather if gather is not None and gather.rows == geometry.count.fixed and tensor.dim() == 3 else None


def watch_outer(record: StepRecord, draft: Draft, target: torch.Tensor) -> None:
    """Remember a batched product that makes a gradient for every picked weight."""
    geometry = draft.geometry
    if not draft.in_backward or not isinstance(geometry, MatrixProduct) or geometry.grouped is not None:
        return
    forward = next((p.geometry for p in draft.partners if isinstance(p.geometry, MatrixProduct)), None)
    if forward is None or forward.grouped is None or target.dim() != 3:
        return
    each = geometry.count.fixed
    added_up = replace(geometry, k=geometry.k * each, count=Size(1), grouped="k", loads=forward.loads)
    draft.outputs[0].outer = Outer(draft=draft, grouped=added_up)


def add_up(record: StepRecord, call: Call) -> bool:
    """``index_put`` or ``index_add`` into zeros of the table's shape: the gradients of picked weights, by weight."""
    zeros = record.known(call.args[0])
    accumulates = call.name == "index_add" or bool(call.argument(3, "accumulate"))
    gradient = record.known(call.args[3 if call.name == "index_add" else 2])
    if gradient is None or gradient.outer is None or zeros is None or not accumulates:
        return False
    product, group = gradient.outer.draft, gradient.outer.grouped
    fill = next((draft for draft in reversed(record.drafts) if zeros in draft.outputs), None)
    # Torch makes the zeros "like" the gradient, without a look at it.
    others = (draft for draft in record.drafts if draft is not fill)
    read = any(value in draft.inputs for draft in others for value in (gradient, zeros))
    of_the_table = math.prod(call.target.shape) == len(group.loads) * group.m.fixed * group.n.fixed
    if fill is None or fill.kind != "zero_fill" or read or not of_the_table:
        return False
    record.drafts.remove(fill)
    product.geometry = group
    gradient.shape, gradient.outer = tuple(call.target.shape), None
    record.bind(call.target, gradient)
    return True


def _loads(record: StepRecord, groups: int) -> tuple[int, ...]:
    loads = record.expert_loads
    if loads is None:
        return (1,) * groups
    if len(loads) != groups:
        where = record.context.module or "model"
        raise CaptureError(
            f"expert load: got {len(loads)} loads, need {groups}, one for each expert of '{where}'; "
            f"try {','.join('1' * groups)}"
        )
    return loads
