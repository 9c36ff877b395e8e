"""What a score may look at, of one group of coupled channels, heads or neurons."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from .....configs.errors import ConfigError
from ..coupled_slices import CoupledGroup

Needs = Literal["gradients", "inputs"]
"""What only batches tell: dL/dw, or what weights were multiplied by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a weight was multiplied by.

    Attributes:
        squares: in the weight's shape: those of the channel that each element multiplies, summed over all samples and
            positions of the batches.
        sums: in the same shape, of the channels themselves.
        count: samples and positions.
        axis: of the weight, along which these channels lie.
    """

    squares: Tensor
    sums: Tensor
    count: int
    axis: int

    @property
    def means(self) -> Tensor:
        """Of the channel that each element multiplies."""
        return self.sums / self.count

    @property
    def variances(self) -> Tensor:
        """Of it, of a sample of the values that it may have."""
        return (self.squares - self.sums.square() / self.count).clamp(min=0) / max(self.count - 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenGroup:
    """One group, and what is known of its slices.

    Attributes:
        group: with the slices as the tensors are now.
        parameters: by name; running statistics are none.
        gradients: dL/dw by parameter, summed over the batches; empty unless the score needs them.
        inputs: by weight, what it was multiplied by; empty unless the score needs them.
        scales: names of the scales of batch normalisations.
        generator: for what is drawn, on the CPU.
    """

    group: CoupledGroup
    parameters: Mapping[str, Tensor]
    gradients: Mapping[str, Tensor]
    inputs: Mapping[str, Read]
    scales: Collection[str]
    generator: torch.Generator

    def magnitudes_behind(self, names: Iterable[str], *, chosen_by: str, need: str) -> Tensor:
        """Magnitudes of some parameters that members pass, summed where there are several.

        Raises:
            ConfigError: no slice of the group is of one of them.
        """
        found = {name: self.parameters[name].abs() for name in names}
        if not any(each.tensor in found for each in self.group.slices):
            raise ConfigError(
                f"chosen_by: got {chosen_by} of {self.group.name}, need {need}; try magnitude", field="chosen_by"
            )
        return self.group.summed(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupScore:
    """What members of a group are compared by.

    Attributes:
        of: a number a member, [members], the larger the sooner kept.
        needs: evidence of batches; None where the weights are enough.
    """

    of: Callable[[SeenGroup], Tensor]
    needs: Needs | None = None
