"""Torch's shortcuts past the forward pass of a layer, closed while a recipe is at work.

In evaluation ``nn.TransformerEncoderLayer`` multiplies by its layers' weights in one kernel without calling them, and
would multiply by the master weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

_CLOSED: tuple[tuple[type[nn.Module], str, Any], ...] = (
    (nn.TransformerEncoderLayer, "activation_relu_or_gelu", 0),
    (nn.TransformerEncoder, "use_nested_tensor", False),
)
"""An attribute that does nothing but allow the shortcut, and its value that does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedShortcuts:
    """Those of one model.

    Attributes:
        before: modules, the attribute of each, and its value before.
    """

    before: tuple[tuple[nn.Module, str, Any], ...]

    def reopen(self) -> None:
        """Allow them again."""
        for module, attribute, value in self.before:
            setattr(module, attribute, value)


def close_shortcuts(model: nn.Module) -> ClosedShortcuts:
    """Close them in a model."""
    before = []
    for module in model.modules():
        for kind, attribute, closed in _CLOSED:
            if isinstance(module, kind) and hasattr(module, attribute):
                before.append((module, attribute, getattr(module, attribute)))
                setattr(module, attribute, closed)
    return ClosedShortcuts(before=tuple(before))
