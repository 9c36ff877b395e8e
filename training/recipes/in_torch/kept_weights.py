"""Weights of which only the kept elements learn (``weight_gradient: kept``).

The others are zero, and so is what the optimizer remembers of them. After an update a product with the mask leaves the
same bits as gradients that were never formed. A weight that a later phase no longer prunes starts at zero, with an
optimizer that knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import torch
from torch import Tensor

Kept = list[tuple[Tensor, Tensor]]
"""Master weights, each once, with what any pass of this update kept of them."""


Held = list[tuple[Tensor, Tensor, Tensor]]
"""Master weights with the elements that learn, and what the others are."""


def kept_weights(masks: Iterable[tuple[Tensor, Collection[Tensor]]]) -> Kept:
    """What is kept of each weight, by all masks of all layers that share it; none that one of them multiplies whole.

    Args:
        masks: the weight of each layer, and masks of its shape: none where the layer is dense.
    """
    found: dict[int, tuple[Tensor, Tensor]] = {}
    whole: set[int] = set()
    for master, own in masks:
        if not own:
            whole.add(id(master))
        for mask in own:
            here = mask.to(master.device)
            _, before = found.get(id(master), (master, None))
            found[id(master)] = master, here if before is None or before is here else before | here
    return [each for weight, each in found.items() if weight not in whole]


@torch.no_grad()
def zero_the_rest(kept: Kept, optimizer: torch.optim.Optimizer) -> None:
    """Set the pruned elements of weights, and of their optimizer's state, to zero."""
    for master, mask in kept:
        master.mul_(mask)
        _forget(master, mask, optimizer)


@torch.no_grad()
def leave_the_rest(held: Held, optimizer: torch.optim.Optimizer) -> None:
    """Set the elements of weights that do not learn to what they were, and their optimizer's state to zero."""
    for master, learns, before in held:
        master.copy_(torch.where(learns, master, before))
        _forget(master, learns, optimizer)


def _forget(master: Tensor, mask: Tensor, optimizer: torch.optim.Optimizer) -> None:
    for state in optimizer.state.get(master, {}).values():
        if isinstance(state, Tensor) and state.shape == mask.shape:
            state.mul_(mask)
