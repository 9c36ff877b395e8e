"""Shapes of results that torch's meta kernels refuse to tell, although its kernels with data compute them.

The meta kernel of the grouped product asks for BF16 and for aligned rows, which are the needs of one GPU kernel. A mode
under all others, so that the counter and the recorder see the operator as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from .routing import Routing, with_positions


def _grouped_mm(
    left: torch.Tensor,
    right: torch.Tensor,
    offs: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    out_dtype: torch.dtype | None = None,
) -> torch.Tensor | None:
    """[rows, n], [m, columns], [groups, m, n] or [count, m, n] of what meets; None of what does not."""
    if left.shape[-1] != right.shape[-2]:
        return None
    of_groups = [operand.shape[0] for operand in (left, right) if operand.dim() == 3]
    ragged = left.dim() == 2 or right.dim() == 2
    if ragged == (offs is None) or (offs is not None and any(groups != offs.shape[0] for groups in of_groups)):
        return None
    both = {(2, 2), (3, 3)}
    stacked = (left.dim(), right.dim()) in both
    groups = (offs.shape[0] if offs is not None else left.shape[0],) if stacked else ()
    return left.new_empty((*groups, left.shape[-2], right.shape[-1]), dtype=out_dtype or left.dtype)


_SHAPES: dict[str, Callable[..., torch.Tensor | None]] = {"aten::_grouped_mm": _grouped_mm}


class _MetaKernels(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Answers in place of a meta kernel that refuses."""

    def __init__(self, routing: Routing) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._routing = routing

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run the operator, or say what its result's shape is."""
        name = func._schema.name
        shape, routed = _SHAPES.get(name), with_positions(self._routing, name, args)
        if isinstance(routed, torch.Tensor):
            return routed
        args = args if routed is None else routed
        try:
            result = func(*args, **(kwargs or {}))
        except RuntimeError:
            result = None if shape is None else shape(*args, **(kwargs or {}))
            if result is None:
                raise
        self._routing.watch(name, args, result)
        return result


def meta_kernels(routing: Routing) -> TorchDispatchMode:
    """The mode that does so; to be entered before every other.

    Args:
        routing: what is known of sizes that data decide.
    """
    return _MetaKernels(routing)
