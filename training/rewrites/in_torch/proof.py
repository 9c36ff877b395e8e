"""Whether a narrower module computes what the whole one does once all that went of it is zero.

Which places of a weight are a channel's is told from sizes: a packing that interleaves what another stacks has the
same ones. So the narrower module is run beside the whole one, in double precision. A normalisation over what became
narrower has another mean and another spread without the rest; in the whole module it is taken over what stays.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ....configs.errors import ConfigError
from .calibration import Calibration
from .layer_parts import BATCH_NORMS

_ROUNDING = 1e-6
"""Of the largest output: far above what sums in another order differ by in double precision."""


@torch.no_grad()
def prove(
    full: nn.Module, narrowed: nn.Module, index: Mapping[str, tuple[Tensor, ...]], calibration: Calibration
) -> None:
    """Compare their outputs on two samples of the first batch.

    Args:
        full: the module as it was; it is changed.
        narrowed: what was made of it.
        index: of each parameter and buffer, the places on each axis that stayed; empty of one that stayed whole.
        calibration: what they are run on.

    Raises:
        ConfigError: they differ.
    """
    inputs = calibration.batches[0][0][:2]
    inputs = inputs.double() if inputs.is_floating_point() else inputs
    full, narrowed = full.double().eval(), copy.deepcopy(narrowed).double().eval()
    for name, parameter in full.named_parameters():
        for axis, places in enumerate(index.get(name, ())):
            gone = torch.ones(parameter.shape[axis], dtype=torch.bool)
            gone[places] = False
            parameter.index_fill_(axis, gone.nonzero().flatten().to(parameter.device), 0.0)
    for path, module in full.named_modules():
        stayed = _normalised(path, module, index)
        if stayed is not None:
            module.register_forward_hook(_over_what_stays(narrowed.get_submodule(path), stayed))
    wanted, found = calibration.output(full, inputs), calibration.output(narrowed, inputs)
    furthest = float((wanted - found).abs().max()) if wanted.shape == found.shape else float("inf")
    if not furthest <= _ROUNDING * max(float(wanted.abs().max()), 1e-30):
        raise ConfigError(
            "got a model that computes otherwise once what goes is zero than without it (its outputs differ by "
            f"{furthest:.2g}), need layers whose channels are read in the order in which they are made, and no "
            "statistics over them but those of normalisations that are modules; try a pattern that leaves others out"
        )


def _normalised(path: str, module: nn.Module, index: Mapping[str, tuple[Tensor, ...]]) -> Tensor | None:
    """The places that stayed of what a module normalises over; None of a module that does no such thing."""
    own = [name for name, each in module.named_parameters(recurse=False) if each.dim() == 1]
    plain = own and len(own) == len(list(module.parameters())) and not isinstance(module, (*BATCH_NORMS, nn.PReLU))
    indices = index.get(f"{path}.{own[0]}".lstrip("."), ()) if plain else ()
    if not indices or len(indices[0]) == module.get_parameter(own[0]).shape[0]:
        return None
    return indices[0]


def _over_what_stays(narrowed: nn.Module, stayed: Tensor) -> Callable[..., Any]:
    """A hook that puts what the narrower module makes of what stays into the whole one's places, zeros beside it."""

    def hook(module: nn.Module, given: tuple[Any, ...], output: Tensor) -> Tensor:
        axis = 1 if isinstance(module, nn.GroupNorm) else given[0].dim() - 1
        places = stayed.to(given[0].device)
        return torch.zeros_like(output).index_copy_(axis, places, narrowed(given[0].index_select(axis, places)))

    return hook
