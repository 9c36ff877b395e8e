"""Which tensors an operator touches, and whose memory they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils._pytree import tree_leaves


def storage_key(tensor: torch.Tensor) -> int:
    """Which memory a tensor or view lives in; unique while the storage is alive."""
    return int(tensor.untyped_storage()._cdata)


def tensors_in(tree: Any) -> list[torch.Tensor]:
    """Every tensor in nested arguments or results."""
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def are_views(made: list[torch.Tensor], read: list[torch.Tensor]) -> bool:
    """Whether an operator only made new views of what it read."""
    owners = {storage_key(tensor) for tensor in read}
    return bool(made) and all(storage_key(tensor) in owners for tensor in made)


def written_arguments(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[torch.Tensor]:
    """The tensors that an operator's schema says it writes in place."""
    found: list[torch.Tensor] = []
    for position, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            given = args[position] if position < len(args) else kwargs.get(argument.name)
            found.extend(tensors_in(given))
    return found


def is_among(tensor: torch.Tensor, others: Sequence[torch.Tensor]) -> bool:
    """Membership by identity, because ``==`` on tensors compares elements."""
    return any(tensor is other for other in others)
