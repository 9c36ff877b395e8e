"""Where the channels of a layer's weight lie: the axis along which each stage groups them.

FF contracts over the input channels, BP over the output channels, each at a fixed kernel position and within one group
of a grouped convolution. Torch stores a weight as [out, in / groups, *kernel], a transposed convolution's as
[in, out / groups, *kernel].
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from ...graph import Stage

Convolutions = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
TransposedConvolutions = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightAxes:
    """The axes of one weight.

    Attributes:
        groups: of a grouped convolution; 1 else.
        transposed: input channels lie on the first axis.
        first: channels on the first axis, in one group.
        second: channels on the second axis.
        kernel_axes: how many follow; none for a linear layer.
    """

    groups: int
    transposed: bool
    first: int
    second: int
    kernel_axes: int

    @classmethod
    def of(cls, module: nn.Module) -> WeightAxes:
        """The axes of a Linear's or a convolution's weight."""
        weight = module.weight
        assert isinstance(weight, Tensor), "a layer that multiplies has a weight"
        groups = int(getattr(module, "groups", 1))
        return cls(
            groups=groups,
            transposed=isinstance(module, TransposedConvolutions),
            first=weight.shape[0] // groups,
            second=weight.shape[1],
            kernel_axes=weight.dim() - 2,
        )

    def channels(self, stage: Stage) -> int:
        """Channels along the stage's contraction axis, at one kernel position, in one group."""
        return self.second if self._is_second(stage) else self.first

    def _is_second(self, stage: Stage) -> bool:
        return (stage is Stage.FORWARD) != self.transposed

    def by_group(self, weight: Tensor) -> Tensor:
        """[groups, first, second, *kernel]: a view."""
        return weight.reshape(self.groups, self.first, *weight.shape[1:])

    def axis(self, stage: Stage) -> int:
        """The axis of ``by_group`` that a stage contracts over."""
        return 2 if self._is_second(stage) else 1

    def over_inputs(self, channels: Tensor, weight: Tensor) -> Tensor:
        """A value an input channel, [groups x inputs], laid over every weight that multiplies that channel."""
        grouped = self.by_group(weight)
        shape = [1] * grouped.dim()
        shape[0], shape[self.axis(Stage.FORWARD)] = self.groups, -1
        return channels.to(weight.device).reshape(shape).expand_as(grouped).flatten(0, 1)
