"""The weights of a module with recurrent layers, each with the face of a layer to the rules and masks of a recipe."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from ....recurrent_weights import is_recurrent

Recurrent = (nn.RNNBase, nn.RNNCellBase)
"""Modules that multiply by several weights."""

_PLAIN_FORWARDS = {kind.forward for kind in (nn.RNN, nn.LSTM, nn.GRU, nn.RNNCell, nn.LSTMCell, nn.GRUCell)}


class RecurrentWeight(nn.Module):
    """One weight of such a module: ``weight`` is its parameter, as of a Linear."""

    def __init__(self, owner: nn.Module, name: str) -> None:
        super().__init__()
        self.owner, self.name = owner, name

    @property
    def weight(self) -> Tensor:
        """The parameter [gates * H, inputs or H]."""
        parameter = getattr(self.owner, self.name)
        assert isinstance(parameter, Tensor), "it was found among the parameters"
        return parameter

    @property
    def unreachable(self) -> str | None:
        """Why it is not multiplied by where a recipe could say by what; None when it is."""
        if type(self.owner).forward not in _PLAIN_FORWARDS or "forward" in self.owner.__dict__:
            return f"{type(self.owner).__name__} has a forward pass of its own"
        if getattr(self.owner, "proj_size", 0):
            return "torch projects the states of this layer in a function of its own"
        return None


def weights_of(path: str, module: nn.Module) -> Iterator[tuple[str, RecurrentWeight]]:
    """Those of a module with recurrent layers, by dotted path; none of any other module."""
    if isinstance(module, Recurrent):
        # Whatever holds a weight: a parameter, or a hook that computes it.
        for name in dict.fromkeys((*getattr(module, "_flat_weights_names", ()), "weight_ih", "weight_hh")):
            if is_recurrent(name) and isinstance(getattr(module, name, None), Tensor):
                yield f"{path}.{name}" if path else name, RecurrentWeight(module, name)
