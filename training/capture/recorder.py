"""Writing down every aten operator of a training step as it runs on the meta device.

Operators are seen below autograd, so the backward pass appears as it is executed, custom ``autograd.Function``
included. A storage is a tensor of the graph; views share their base's storage and cost nothing; an operator that writes
in place makes a new version of the storage's value.

Not recorded: allocation, host bookkeeping on single integers (the batch counter of a normalisation), and the drawing of
a random mask when a dropout consumes it (it belongs to the dropout's own pass).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ..graph import Geometry, TensorRole
from .aten_kinds import ALLOCATIONS, LOOKUPS, METADATA_CHANGES, OVERWRITES, base_name, vector_kind
from .drafts import Category, Draft, Value
from .module_path import ModulePath
from .products import PRODUCT_OPERANDS, convolution, matrix_product
from .tensor_identity import are_views, is_among, storage_key, tensors_in, written_arguments


class StepRecorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the operators of one step. Enter it, run the step, read ``drafts``."""

    def __init__(self, path: ModulePath) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.drafts: list[Draft] = []
        self.running = ""
        self.section = ""
        self._path = path
        self._values: dict[int, Value] = {}
        self._kept_storages: list[torch.UntypedStorage] = []
        self._reserved: dict[int, tuple[tuple[int, ...], bool]] = {}
        self._module_of_node: dict[int, str] = {}
        self._products_of_node: dict[int, list[Draft]] = {}
        self._context = _Context("", in_backward=False, node=-1)

    def declare(
        self,
        tensor: torch.Tensor,
        name: str,
        role: TensorRole,
        category: Category,
    ) -> Value:
        """Name a tensor that exists before the step: an input, a parameter, a buffer, the seed of the backward pass."""
        roots = frozenset({name}) if category is Category.PARAMETER else frozenset[str]()
        value = _new_value(tensor, category, roots)
        value.name, value.role = name, role
        self._bind(tensor, value)
        return value

    def value_of(self, tensor: torch.Tensor) -> Value:
        """The value that a tensor or view holds now."""
        key = storage_key(tensor)
        value = self._values.get(key)
        if value is None:
            value = self._from_outside(tensor, self._reserved.get(key))
        if value.noise is not None:
            self.drafts.append(value.noise)
            value.noise = None
        return value

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run the operator, then write it down."""
        kwargs = kwargs or {}
        self._context = self._where()
        self.running = f"{func._schema.name.replace('::', '.')} in module '{self._context.module or 'model'}'"
        result = func(*args, **kwargs)
        self._record(func, args, kwargs, result)
        return result

    def _where(self) -> _Context:
        if torch._C._current_graph_task_id() == -1 or torch.is_grad_enabled():
            # With gradients enabled inside the backward pass, a checkpointed part of the forward pass runs again.
            node = torch.autograd._get_sequence_nr() - 1  # type: ignore[attr-defined]
            module = self.section or self._path.current
            self._module_of_node.setdefault(node, module)
            return _Context(module, in_backward=False, node=node)
        running_node = torch._C._current_autograd_node()
        number = -1 if running_node is None else running_node._sequence_nr()
        return _Context(self._module_of_node.get(number, self._context.module), in_backward=True, node=number)

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
                self._reserve(tensor)
            return
        if (not written and are_views(made, read)) or (namespace == "aten" and name in METADATA_CHANGES):
            return
        if all(tensor.numel() <= 1 and not tensor.is_floating_point() for tensor in (*read, *made)):
            return
        special = _SPECIAL.get(name) if namespace == "aten" and not aten.startswith("_foreach_") else None
        if special is not None and special(self, name, args, made, written):
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
        inputs = [self.value_of(t) for t in read if not (whole and is_among(t, written) and self._covers(t))]
        kind = self._in_context(kind, aten, inputs, read)
        positional, named = arguments
        # A list among the arguments is one operand: its tensors are concatenated, or processed together.
        operands = made if aten in LOOKUPS else (*positional, *named.values(), *made)
        elements = tuple(sum(tensor.numel() for tensor in tensors_in(operand)) for operand in operands)
        draft = self._draft(kind, aten, inputs, elements=elements)
        draft.shapes = tuple(tuple(tensor.shape) for tensor in (*read, *made))
        self._finish(draft, made, written)

    def _in_context(self, kind: str, aten: str, inputs: list[Value], read: list[torch.Tensor]) -> str:
        """The kinds that depend on what is operated on, not only on the operator."""
        if aten == "aten.div" and len(read) == 1:
            return "multiply"
        if kind == "add" and len(inputs) == 2:
            if self._context.in_backward and all(v.category is Category.GRADIENT for v in inputs):
                return "gradient_add"
            if any(_is_bias(value, tensor, read) for value, tensor in zip(inputs, read, strict=True)):
                return "bias_add"
        if kind == "multiply" and self._context.in_backward and any(v.is_dropout_mask for v in inputs):
            return "dropout_backward"
        return kind

    def _product(self, name: str, args: tuple[Any, ...], made: list[torch.Tensor], written: list[torch.Tensor]) -> bool:
        first, second = PRODUCT_OPERANDS[name]
        left, right = args[first], args[second]
        product = self._draft(
            "product",
            f"aten.{name}",
            [self.value_of(left), self.value_of(right)],
            geometry=matrix_product(left, right),
        )
        (target,) = written or made
        if first == 0:
            self._finish(product, [target], [])
        else:
            self._finish_with_addend(product, args[0], target)
        return True

    def _convolution(
        self, name: str, args: tuple[Any, ...], made: list[torch.Tensor], written: list[torch.Tensor]
    ) -> bool:
        source, weight, bias, *arguments = args
        (target,) = made
        product = self._draft(
            "convolution",
            "aten.convolution",
            [self.value_of(source), self.value_of(weight)],
            geometry=convolution(source, weight, target.shape[2:], arguments),
        )
        if bias is None:
            self._finish(product, made, [])
        else:
            self._finish_with_addend(product, bias, target)
        return True

    def _convolution_backward(
        self, name: str, args: tuple[Any, ...], made: list[torch.Tensor], written: list[torch.Tensor]
    ) -> bool:
        gradient, source, weight, _bias_sizes, *arguments, wanted = args
        geometry = convolution(source, weight, gradient.shape[2:], arguments)
        pieces = iter(made)
        operands = {"input": (gradient, weight), "weight": (source, gradient)}
        for computes, is_wanted in zip(("input", "weight"), wanted, strict=False):
            if is_wanted:
                left, right = (self.value_of(tensor) for tensor in operands[computes])
                draft = self._draft("convolution", "aten.convolution_backward", [left, right], geometry=geometry)
                draft.computes = computes
                self._finish(draft, [next(pieces)], [])
        if wanted[2]:
            bias_gradient = self._draft(
                "bias_gradient",
                "aten.convolution_backward",
                [self.value_of(gradient)],
                elements=(gradient.numel(),),
            )
            self._finish(bias_gradient, [next(pieces)], [])
        return True

    def _finish_with_addend(self, product: Draft, addend: torch.Tensor, target: torch.Tensor) -> None:
        """The product's result goes through a virtual tensor to the operator that adds the bias, or the accumulator."""
        self._append(product)
        intermediate = _new_value(target, *_derived(product))
        product.outputs.append(intermediate)
        value = self.value_of(addend)
        kind = "bias_add" if _is_bias(value, addend, [target]) else "add"
        draft = self._draft(kind, product.aten, [intermediate, value], elements=(target.numel(),))
        self._finish(draft, [target], [])

    def _noise(self, name: str, args: tuple[Any, ...], made: list[torch.Tensor], written: list[torch.Tensor]) -> bool:
        (mask,) = written or made
        draft = self._draft("elementwise", f"aten.{name}", [], elements=(mask.numel(),))
        value = _new_value(mask, Category.CONSTANT, frozenset())
        value.noise = draft
        draft.outputs.append(value)
        self._bind(mask, value)
        return True

    def _scale_of_noise(
        self, name: str, args: tuple[Any, ...], made: list[torch.Tensor], written: list[torch.Tensor]
    ) -> bool:
        noise = self._values.get(storage_key(args[0]))
        return bool(written) and noise is not None and noise.noise is not None

    def _multiplied_by_noise(
        self, name: str, args: tuple[Any, ...], made: list[torch.Tensor], written: list[torch.Tensor]
    ) -> bool:
        masks = [
            (index, value)
            for index, tensor in enumerate(args[:2])
            if isinstance(tensor, torch.Tensor)
            and (value := self._values.get(storage_key(tensor))) is not None
            and value.noise is not None
        ]
        if len(masks) != 1 or self._context.in_backward:
            return False
        ((position, mask),) = masks
        mask.noise, mask.is_dropout_mask = None, True
        source = args[1 - position]
        draft = self._draft("dropout", "aten.dropout", [self.value_of(source)], elements=(source.numel(),))
        self._finish(draft, made, written)
        draft.outputs.append(mask)
        return True

    def _draft(
        self,
        kind: str,
        aten: str,
        inputs: list[Value],
        *,
        elements: tuple[int, ...] = (),
        geometry: Geometry | None = None,
    ) -> Draft:
        context = self._context
        unique = inputs if geometry is not None else list(dict.fromkeys(inputs))
        partners = tuple(self._products_of_node.get(context.node, ())) if context.in_backward else ()
        return Draft(
            kind=kind,
            module=context.module,
            aten=aten,
            inputs=unique,
            outputs=[],
            in_backward=context.in_backward,
            elements=elements,
            geometry=geometry,
            partners=partners,
        )

    def _append(self, draft: Draft) -> None:
        self.drafts.append(draft)
        if draft.geometry is not None and not draft.in_backward:
            self._products_of_node.setdefault(self._context.node, []).append(draft)

    def _finish(self, draft: Draft, made: Sequence[torch.Tensor], written: Sequence[torch.Tensor]) -> None:
        """Append the operator and give its results their values."""
        category, roots = _derived(draft)
        self._append(draft)
        for tensor in written:
            old = self._values.get(storage_key(tensor))
            shape = self._base_shape(tensor)
            value = Value(shape, not tensor.is_floating_point(), category, roots)
            if old is not None:
                value.category = max(category, old.category)
                value.role = "buffer" if old.role == "buffer" else None
            draft.outputs.append(value)
            self._bind(tensor, value)
        rewritten = {storage_key(tensor) for tensor in written}
        for tensor in made:
            if tensor.numel() and storage_key(tensor) not in rewritten:
                value = _new_value(tensor, category, roots)
                draft.outputs.append(value)
                self._bind(tensor, value)

    def _bind(self, tensor: torch.Tensor, value: Value) -> None:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._values and storage._cdata not in self._reserved:
            # Kept alive, so that its address names no other storage while the step is recorded.
            self._kept_storages.append(storage)
        self._values[storage._cdata] = value

    def _reserve(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        self._kept_storages.append(storage)
        self._reserved[storage._cdata] = (tuple(tensor.shape), not tensor.is_floating_point())

    def _from_outside(self, tensor: torch.Tensor, reserved: tuple[tuple[int, ...], bool] | None) -> Value:
        """A tensor that no operator made: memory reserved and never written holds data (labels); else a constant."""
        is_data = reserved is not None
        value = _new_value(tensor, Category.ACTIVATION if is_data else Category.CONSTANT, frozenset())
        name = "labels" if is_data else "constant"
        number = sum(known.name.split(".")[0] == name for known in self._values.values())
        value.name = f"{name}.{number}" if number else name
        value.role = "input" if is_data else "buffer"
        self._bind(tensor, value)
        return value

    def _base_shape(self, tensor: torch.Tensor) -> tuple[int, ...]:
        key = storage_key(tensor)
        if key in self._values:
            return self._values[key].shape
        return self._reserved[key][0] if key in self._reserved else tuple(tensor.shape)

    def _covers(self, tensor: torch.Tensor) -> bool:
        return tensor.numel() == torch.Size(self._base_shape(tensor)).numel()


class _Context:
    """Where an operator runs: its module, its pass, and the sequence number of its autograd node."""

    __slots__ = ("in_backward", "module", "node")

    def __init__(self, module: str, *, in_backward: bool, node: int) -> None:
        self.module = module
        self.in_backward = in_backward
        self.node = node


_Special = Callable[[StepRecorder, str, tuple[Any, ...], list[torch.Tensor], list[torch.Tensor]], bool]

_SPECIAL: dict[str, _Special] = {
    **dict.fromkeys(PRODUCT_OPERANDS, StepRecorder._product),
    "convolution": StepRecorder._convolution,
    "convolution_backward": StepRecorder._convolution_backward,
    "bernoulli": StepRecorder._noise,
    "div": StepRecorder._scale_of_noise,
    "mul": StepRecorder._multiplied_by_noise,
}
"""Operators with a rule of their own; a rule that returns False leaves the operator to the vector table."""


def _derived(draft: Draft) -> tuple[Category, frozenset[str]]:
    """Category and roots of a draft's results."""
    category = max((value.category for value in draft.inputs), default=Category.CONSTANT)
    if category is Category.PARAMETER and draft.kind == "embedding":
        # A table looked up is data from here on.
        category = Category.ACTIVATION
    if category is not Category.PARAMETER:
        return category, frozenset()
    return category, frozenset().union(*(value.roots for value in draft.inputs))


def _is_bias(value: Value, tensor: torch.Tensor, others: Iterable[torch.Tensor]) -> bool:
    """A parameter along one axis, added to something larger."""
    along_one_axis = tensor.numel() == max(tensor.shape, default=1)
    return value.role == "parameter" and along_one_axis and any(other.numel() > tensor.numel() for other in others)


def _new_value(tensor: torch.Tensor, category: Category, roots: frozenset[str]) -> Value:
    base = tensor._base if tensor._base is not None else tensor
    return Value(tuple(base.shape), not tensor.is_floating_point(), category, roots)
