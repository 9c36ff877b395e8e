"""An optimizer that goes on with a narrower module: of what it remembers, that of what stays."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from .narrowed_module import Moved, kept_of


def carry(optimizer: torch.optim.Optimizer, moved: Iterable[Moved]) -> None:
    """Let an optimizer hold the parameters that others became, in their places, with the state of what stays.

    State of a parameter's shape is cut as the parameter is; a step count stays. Parameters that went are forgotten.

    Args:
        optimizer: it is changed.
        moved: what became of parameters; others stay as they are.
    """
    known = {id(each.old): each for each in moved}
    for group in optimizer.param_groups:
        parameters = [known.get(id(each)) or Moved(old=each, new=each) for each in group["params"]]
        group["params"] = [each.new for each in parameters if each.new is not None]
    for each in known.values():
        state = optimizer.state.pop(each.old, None)
        if state is not None and each.new is not None:
            optimizer.state[each.new] = {
                name: kept_of(value, each.index).clone()
                if isinstance(value, Tensor) and value.shape == each.old.shape
                else value
                for name, value in state.items()
            }
