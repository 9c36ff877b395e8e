"""Writing down every aten operator of a training step as it runs on the meta device.

Operators are seen below autograd, so the backward pass appears as it is executed, custom ``autograd.Function``
included. A storage is a tensor of the graph; views share their base's storage and cost nothing; an operator that writes
in place makes a new version of the storage's value.

Not recorded: allocation, host bookkeeping on single integers (the batch counter of a normalisation), and the drawing of
a random mask when a dropout consumes it (it belongs to the dropout's own pass).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from . import casts, grouped, noise, product_rules
from .aten_kinds import ALLOCATIONS, LOOKUPS, METADATA_CHANGES, OVERWRITES, base_name, vector_kind
from .drafts import Category, Value
from .module_path import ModulePath
from .products import PRODUCT_OPERANDS
from .step_record import Call, Context, StepRecord, holds_no_numbers, is_bias, real_numbers
from .tensor_identity import are_views, is_among, tensors_in, written_arguments


class StepRecorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the operators of one step. Enter it, run the step, read ``record.drafts``."""

    def __init__(self, path: ModulePath, *, expert_loads: tuple[int, ...] | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.record = StepRecord(expert_loads=expert_loads)
        self.running = ""
        self.section = ""
        self._path = path
        self._module_of_node: dict[int, str] = {}

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run the operator, then write it down."""
        kwargs = kwargs or {}
        self.record.context = self._where()
        self.running = f"{func._schema.name.replace('::', '.')} in module '{self.record.context.module or 'model'}'"
        result = func(*args, **kwargs)
        self._record(func, args, kwargs, result)
        return result

    def _where(self) -> Context:
        if torch._C._current_graph_task_id() == -1 or torch.is_grad_enabled():
            # With gradients enabled inside the backward pass, a checkpointed part of the forward pass runs again.
            node = torch.autograd._get_sequence_nr() - 1  # type: ignore[attr-defined]
            module = self.section or self._path.current
            self._module_of_node.setdefault(node, module)
            return Context(module, node=node)
        running_node = torch._C._current_autograd_node()
        number = -1 if running_node is None else running_node._sequence_nr()
        return Context(self._module_of_node.get(number, self.record.context.module), in_backward=True, node=number)

    def _record(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        namespace, aten = func._schema.name.split("::")
        name = base_name(aten)
        read = [tensor for tensor in tensors_in((args, kwargs)) if tensor.numel()]
        made = tensors_in(result)
        written = written_arguments(func, args, kwargs)
        if not made and not written:
            return
        if namespace == "aten" and name in ALLOCATIONS:
            for tensor in made:
                self.record.reserve(tensor)
            return
        if (not written and are_views(made, read)) or (namespace == "aten" and name in METADATA_CHANGES):
            return
        if all(tensor.numel() <= 1 and holds_no_numbers(tensor) for tensor in (*read, *made)):
            return
        rule = _RULES.get(name) if namespace == "aten" and not aten.startswith("_foreach_") else None
        call = Call(name=name, args=args, named=kwargs, made=made, written=written)
        if rule is not None and rule(self.record, call):
            return
        kind = vector_kind(aten, namespace=namespace, tags=[tag.name for tag in func.tags])
        self._record_vector(kind, f"{namespace}.{name}", (args, kwargs), read, made, written)

    def _record_vector(
        self,
        kind: str,
        aten: str,
        arguments: tuple[tuple[Any, ...], dict[str, Any]],
        read: list[torch.Tensor],
        made: list[torch.Tensor],
        written: list[torch.Tensor],
    ) -> None:
        whole = base_name(aten.rpartition(".")[2]) in OVERWRITES
        inputs = [
            self.record.value_of(t) for t in read if not (whole and is_among(t, written) and self.record.covers(t))
        ]
        kind = self._in_context(kind, aten, inputs, read)
        positional, named = arguments
        # A list among the arguments is one operand: its tensors are concatenated, or processed together.
        operands = made if aten in LOOKUPS else (*positional, *named.values(), *made)
        elements = tuple(sum(map(real_numbers, tensors_in(operand))) for operand in operands)
        draft = self.record.draft(kind, aten, inputs, elements=elements)
        draft.shapes = tuple(tuple(tensor.shape) for tensor in (*read, *made))
        self.record.finish(draft, made, written)

    def _in_context(self, kind: str, aten: str, inputs: list[Value], read: list[torch.Tensor]) -> str:
        """The kinds that depend on what is operated on, not only on the operator."""
        if aten == "aten.div" and len(read) == 1:
            return "multiply"
        if kind == "add" and len(inputs) == 2:
            if self.record.context.in_backward and all(v.category is Category.GRADIENT for v in inputs):
                return "gradient_add"
            if any(is_bias(value, tensor, read) for value, tensor in zip(inputs, read, strict=True)):
                return "bias_add"
        if kind == "multiply" and self.record.context.in_backward and any(v.is_dropout_mask for v in inputs):
            return "dropout_backward"
        return kind


_Rule = Callable[[StepRecord, Call], bool]

_RULES: dict[str, _Rule] = {
    **dict.fromkeys(PRODUCT_OPERANDS, product_rules.product),
    "convolution": product_rules.forward_convolution,
    "convolution_backward": product_rules.backward_convolution,
    "_grouped_mm": grouped.product,
    "index": grouped.pick,
    "index_select": grouped.pick,
    "index_put": grouped.add_up,
    "index_add": grouped.add_up,
    "_to_copy": casts.cast,
    "bernoulli": noise.draw,
    "div": noise.scale,
    "mul": noise.multiply,
}
"""Operators with a rule of their own; a rule that returns False leaves the operator to the vector table."""
