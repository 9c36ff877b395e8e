"""What a rule sees of the node that it runs: operands, attributes, and where data lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..graph import Known, Node, unseen

Value = torch.Tensor | Known | None
"""A value while a graph runs: data, or known beforehand; None of an optional one that nobody computes."""

Result = torch.Tensor | tuple[torch.Tensor | None, ...]
"""What a rule makes: the first output, or one for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A node with its operands.

    Attributes:
        node: that runs.
        values: its operands by place.
        training: whether batch statistics are taken and values dropped.
        device: where data lie.
    """

    node: Node
    values: tuple[Value, ...]
    training: bool
    device: torch.device

    def has(self, place: int) -> bool:
        """Whether an operand is given."""
        return place < len(self.values) and self.values[place] is not None

    def tensor(self, place: int) -> torch.Tensor:
        """An operand beside the data."""
        found = self.optional(place)
        if found is None:
            raise self.node.error(f"got no input {place}, need it")
        return found

    def optional(self, place: int) -> torch.Tensor | None:
        """The same, or None where it is not given."""
        value = self.values[place] if place < len(self.values) else None
        return value.on(self.device) if isinstance(value, Known) else value

    @property
    def tensors(self) -> list[torch.Tensor]:
        """All operands."""
        return [self.tensor(place) for place in range(len(self.values))]

    def operand(self, place: int) -> Any:
        """An operand of element-wise arithmetic: a number where it is known to be one and another is data."""
        value = self.values[place] if place < len(self.values) else None
        with_data = any(isinstance(other, torch.Tensor) for other in self.values)
        if isinstance(value, Known) and value.value.numel() == 1 and with_data:
            widest = max(other.dim() for other in self.values if isinstance(other, torch.Tensor))
            if value.value.dim() <= widest:
                return value.value.item()
        return self.tensor(place)

    def known(self, place: int) -> torch.Tensor:
        """An operand whose values are needed.

        Raises:
            CaptureError: it is missing, or depends on data.
        """
        value = self.values[place] if place < len(self.values) else None
        if isinstance(value, Known):
            return value.value
        if isinstance(value, torch.Tensor) and not value.is_meta and not value.requires_grad:
            return value
        got = "no input" if value is None else "one that depends on data in input"
        raise self.node.error(f"got {got} {place}, need values that shapes decide; try exporting at fixed extents")

    def integers(self, place: int) -> list[int]:
        """The same as integers."""
        return [int(each) for each in self.known(place).reshape(-1).tolist()]

    def number(self, place: int, attribute: str, default: Any) -> Any:
        """A setting: an operand since some opset, an attribute before."""
        if self.has(place):
            return self.known(place).reshape(-1)[0].item()
        return self.node.attributes.get(attribute, default)

    def listed(self, place: int, attribute: str) -> list[int] | None:
        """A list of integers: an operand since some opset, an attribute before; None where it is neither."""
        if self.has(place):
            return self.integers(place)
        given = self.node.attributes.get(attribute)
        return None if given is None else [int(each) for each in given]

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute."""
        return self.node.attributes.get(name, default)

    def constant(self, values: Sequence[float], like: torch.Tensor | None = None) -> torch.Tensor:
        """Numbers beside the data, of the type of another tensor; integers where none is given."""
        with unseen():
            made = torch.tensor(values, dtype=torch.int64 if like is None else like.dtype)
        return Known(made).on(self.device)

    @property
    def opset(self) -> int:
        """Version of the operator's domain."""
        return self.node.opset
