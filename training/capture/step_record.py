"""What is known of a step while it runs: which value each storage holds, and the operators so far.

A storage is a tensor of the graph; views share their base's storage. An operator that writes in place makes a new
version of the storage's value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from ..graph import Geometry, TensorRole
from .drafts import Category, Draft, Value
from .tensor_identity import storage_key


@dataclass(frozen=True, slots=True)
class Context:
    """Where an operator runs: its module, its pass, and the sequence number of its autograd node."""

    module: str
    in_backward: bool = False
    node: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One operator as torch ran it.

    Attributes:
        name: without the namespace and the mark of an in-place form.
        args: by position.
        named: by name.
        made: tensors that it returned.
        written: tensors that it wrote in place.
    """

    name: str
    args: tuple[Any, ...]
    named: dict[str, Any]
    made: list[torch.Tensor]
    written: list[torch.Tensor]

    @property
    def target(self) -> torch.Tensor:
        """The one tensor that it wrote or made."""
        (target,) = self.written or self.made
        return target

    def argument(self, position: int, name: str) -> Any:
        """An argument however it was given; None where it was not."""
        return self.args[position] if position < len(self.args) else self.named.get(name)


@dataclass(slots=True)
class StepRecord:
    """Operators and values of one step.

    Attributes:
        expert_loads: the given load of each group of a grouped product, relative; balanced when None.
        drafts: operators in execution order.
        values: what each storage holds now, by its key.
        context: of the running operator.
        causal_products: products that the causal attention which runs has made so far; None when none runs.
    """

    expert_loads: tuple[int, ...] | None = None
    drafts: list[Draft] = field(default_factory=list)
    values: dict[int, Value] = field(default_factory=dict)
    context: Context = field(default_factory=lambda: Context(""))
    causal_products: int | None = None
    _kept_storages: list[torch.UntypedStorage] = field(default_factory=list)
    _reserved: dict[int, tuple[tuple[int, ...], bool]] = field(default_factory=dict)
    _products_of_node: dict[int, list[Draft]] = field(default_factory=dict)

    def declare(self, tensor: torch.Tensor, name: str, role: TensorRole, category: Category) -> Value:
        """Name a tensor that exists before the step: an input, a parameter, a buffer, the seed of the backward pass."""
        roots = frozenset({name}) if category is Category.PARAMETER else frozenset[str]()
        value = new_value(tensor, category, roots)
        value.name, value.role = name, role
        self.bind(tensor, value)
        return value

    def known(self, tensor: object) -> Value | None:
        """The value that a tensor or view holds now, without reading it; None when it is of no operator."""
        return self.values.get(storage_key(tensor)) if isinstance(tensor, torch.Tensor) else None

    def value_of(self, tensor: torch.Tensor) -> Value:
        """The value that a tensor or view holds now, read by an operator: what was put off until then is written."""
        key = storage_key(tensor)
        value = self.values.get(key)
        if value is None:
            value = self._from_outside(tensor, self._reserved.get(key))
        if value.noise is not None:
            self.drafts.append(value.noise)
            value.noise = None
        if value.gather is not None and value.gather.draft is not None:
            self.drafts.append(value.gather.draft)
            value.gather.draft = None
        return value

    def draft(
        self,
        kind: str,
        aten: str,
        inputs: list[Value],
        *,
        elements: tuple[int, ...] = (),
        geometry: Geometry | None = None,
    ) -> Draft:
        """An operator that runs here and now, not written down yet."""
        context = self.context
        unique = inputs if geometry is not None else list(dict.fromkeys(inputs))
        return Draft(
            kind=kind,
            module=context.module,
            aten=aten,
            inputs=unique,
            outputs=[],
            in_backward=context.in_backward,
            elements=elements,
            geometry=geometry,
            partners=self.partners if context.in_backward else (),
        )

    @property
    def partners(self) -> tuple[Draft, ...]:
        """The forward products of the autograd node that runs."""
        return tuple(self._products_of_node.get(self.context.node, ()))

    def append(self, draft: Draft) -> None:
        """Write an operator down."""
        self.drafts.append(draft)
        if draft.geometry is not None and not draft.in_backward:
            self._products_of_node.setdefault(self.context.node, []).append(draft)

    def finish(self, draft: Draft, made: Sequence[torch.Tensor], written: Sequence[torch.Tensor]) -> None:
        """Write an operator down and give its results their values."""
        category, roots = derived(draft)
        self.append(draft)
        for tensor in written:
            old = self.values.get(storage_key(tensor))
            shape = self._base_shape(tensor)
            value = Value(shape, holds_no_numbers(tensor), category, roots)
            if old is not None:
                value.category = max(category, old.category)
                value.role = "buffer" if old.role == "buffer" else None
            draft.outputs.append(value)
            self.bind(tensor, value)
        rewritten = {storage_key(tensor) for tensor in written}
        for tensor in made:
            if tensor.numel() and storage_key(tensor) not in rewritten:
                value = new_value(tensor, category, roots)
                draft.outputs.append(value)
                self.bind(tensor, value)

    def finish_with_addend(self, product: Draft, addend: torch.Tensor, target: torch.Tensor) -> None:
        """The product's result goes through a virtual tensor to the operator that adds the bias, or the accumulator."""
        self.append(product)
        intermediate = new_value(target, *derived(product))
        product.outputs.append(intermediate)
        value = self.value_of(addend)
        kind = "bias_add" if is_bias(value, addend, [target]) else "add"
        draft = self.draft(kind, product.aten, [intermediate, value], elements=(target.numel(),))
        self.finish(draft, [target], [])

    def bind(self, tensor: torch.Tensor, value: Value) -> None:
        """Say what a storage holds from here on."""
        storage = tensor.untyped_storage()
        if storage._cdata not in self.values and storage._cdata not in self._reserved:
            # Kept alive, so that its address names no other storage while the step is recorded.
            self._kept_storages.append(storage)
        self.values[storage._cdata] = value

    def reserve(self, tensor: torch.Tensor) -> None:
        """Memory that nothing is written to yet."""
        storage = tensor.untyped_storage()
        self._kept_storages.append(storage)
        parts = (2,) if tensor.is_complex() else ()
        self._reserved[storage._cdata] = ((*tensor.shape, *parts), holds_no_numbers(tensor))

    def covers(self, tensor: torch.Tensor) -> bool:
        """Whether a view is of all its storage."""
        return real_numbers(tensor) == torch.Size(self._base_shape(tensor)).numel()

    def _from_outside(self, tensor: torch.Tensor, reserved: tuple[tuple[int, ...], bool] | None) -> Value:
        """A tensor that no operator made: memory reserved and never written holds data (labels); else a constant."""
        is_data = reserved is not None
        value = new_value(tensor, Category.ACTIVATION if is_data else Category.CONSTANT, frozenset())
        name = "labels" if is_data else "constant"
        number = sum(known.name.split(".")[0] == name for known in self.values.values())
        value.name = f"{name}.{number}" if number else name
        value.role = "input" if is_data else "buffer"
        self.bind(tensor, value)
        return value

    def _base_shape(self, tensor: torch.Tensor) -> tuple[int, ...]:
        key = storage_key(tensor)
        if key in self.values:
            return self.values[key].shape
        if key in self._reserved:
            return self._reserved[key][0]
        return (*tensor.shape, 2) if tensor.is_complex() else tuple(tensor.shape)


def derived(draft: Draft) -> tuple[Category, frozenset[str]]:
    """Category and roots of a draft's results."""
    category = max((value.category for value in draft.inputs), default=Category.CONSTANT)
    if category is Category.PARAMETER and draft.kind == "embedding":
        # A table looked up is data from here on.
        category = Category.ACTIVATION
    if category is not Category.PARAMETER:
        return category, frozenset()
    return category, frozenset().union(*(value.roots for value in draft.inputs))


def is_bias(value: Value, tensor: torch.Tensor, others: Iterable[torch.Tensor]) -> bool:
    """A parameter along one axis, added to something larger."""
    along_one_axis = tensor.numel() == max(tensor.shape, default=1)
    return value.role == "parameter" and along_one_axis and any(other.numel() > tensor.numel() for other in others)


def new_value(tensor: torch.Tensor, category: Category, roots: frozenset[str]) -> Value:
    """What a new tensor holds; its shape is that of the whole storage, in real numbers."""
    base = tensor._base if tensor._base is not None else tensor
    parts = (2,) if base.is_complex() else ()
    return Value((*base.shape, *parts), holds_no_numbers(tensor), category, roots)


def holds_no_numbers(tensor: torch.Tensor) -> bool:
    """Whether a tensor is of indices, labels or a Boolean mask."""
    return not (tensor.is_floating_point() or tensor.is_complex())


def real_numbers(tensor: torch.Tensor) -> int:
    """How many real numbers a tensor holds."""
    return 2 * tensor.numel() if tensor.is_complex() else tensor.numel()
