"""Torch's shortcuts past the forward pass of a layer, closed while a recipe is at work.

In evaluation ``nn.TransformerEncoderLayer`` multiplies by its layers' weights in one kernel without calling them, and
would multiply by the master weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

_CLOSED: tuple[tuple[type[nn.Module], str, Any], ...] = (
    (nn.TransformerEncoderLayer, "activation_relu_or_gelu", 0),
    (nn.TransformerEncoder, "use_nested_tensor", False),
)
"""An attribute that does nothing but allow the shortcut, and its value that does not."""


def close_shortcuts(model: nn.Module) -> Callable[[], None]:
    """Close them in a model.

    Returns:
        What opens them again.
    """
    before = []
    for module in model.modules():
        for kind, attribute, closed in _CLOSED:
            if isinstance(module, kind) and hasattr(module, attribute):
                before.append((module, attribute, getattr(module, attribute)))
                setattr(module, attribute, closed)

    def reopen() -> None:
        for module, attribute, value in before:
            setattr(module, attribute, value)

    return reopen
