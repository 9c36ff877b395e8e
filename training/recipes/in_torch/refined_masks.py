"""Masks exchanged weight by weight until layers give what they gave, in expectation (DSnoT): no gradient is asked for.

Of an output with weights w, those of the mask kept, inputs of means m, variances v and norms n, the expected error is
e = sum of w m over what is pruned. In a cycle one pruned weight comes back and one kept weight goes, those that draw e
towards zero: of e > 0 the pruned one of the largest w m / v and, of the kept ones with w m < 0, that of the least
|w| n; of e < 0 the pruned one of the least w m / v and, of those with w m > 0, that of the least |w| n. No weight is
exchanged twice. An output is done once |e| is at most the threshold, or no such pair is left.
Source: Zhang et al., ICLR 2024: Dynamic sparse no training (arXiv 2310.08915), and its code, which goes on with a
weight of the other sign where none is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ....configs.balanced import Balanced
from ....configs.errors import ConfigError
from ....configs.operand_format import OperandFormat
from ....configs.unstructured import Unstructured
from ..mask_search import Refinement


@dataclass(frozen=True, slots=True, kw_only=True)
class InputTotals:
    """What a layer was given: of each input channel.

    Attributes:
        sums: over samples and positions.
        squares: of them, summed.
        count: samples and positions.
    """

    sums: Tensor
    squares: Tensor
    count: int

    @classmethod
    def of(cls, channels: Tensor) -> InputTotals:
        """Of values [samples and positions, channels]."""
        return cls(sums=channels.sum(0), squares=channels.square().sum(0), count=len(channels))

    def __add__(self, other: InputTotals) -> InputTotals:
        return InputTotals(
            sums=self.sums + other.sums.to(self.sums.device),
            squares=self.squares + other.squares.to(self.squares.device),
            count=self.count + other.count,
        )

    @property
    def means(self) -> Tensor:
        """Of each channel."""
        return self.sums / self.count

    @property
    def variances(self) -> Tensor:
        """Of each channel, over all that was seen."""
        return (self.squares / self.count - self.means.square()).clamp(min=torch.finfo(self.sums.dtype).tiny)


def check_refines(path: str, sparse: OperandFormat, weight: Tensor) -> None:
    """Refuse what no exchange within a row suits.

    Raises:
        ConfigError: the format has a rule along a row, or the layer is no linear one.
    """
    by_column = isinstance(sparse, Balanced) and sparse.within == "column"
    if not isinstance(sparse, Unstructured) or (sparse.rows, sparse.cols) != (1, 1) or by_column:
        raise ConfigError(
            f"{path}: got {sparse}, need a share of zeros for masks that are refined; try '70% in each row'"
        )
    if weight.dim() != 2:
        raise ConfigError(
            f"{path}: got a weight of {weight.dim()} axes, need a linear layer for masks that are refined; try it in "
            "dense.names"
        )


def refined(mask: Tensor, weight: Tensor, seen: InputTotals, rule: Refinement) -> Tensor:
    """The mask after its exchanges; every row keeps as many as before.

    Args:
        mask: [outputs, inputs].
        weight: of the same shape.
        seen: of the inputs.
        rule: how long.
    """
    given = weight * seen.means
    growth = given / seen.variances.pow(rule.variance_power)
    price = weight.abs() * seen.squares.sqrt()
    kept, pruned = mask.clone(), ~mask
    stays = mask.clone()
    error = (given * pruned).sum(1)
    rows = torch.arange(len(weight), device=weight.device)
    live = torch.ones_like(error, dtype=torch.bool)
    for _ in range(rule.cycles):
        sign = error.sign().unsqueeze(1)
        may_grow, may_go = pruned & (growth * sign > 0), stays & (given * sign < 0)
        live = live & (error.abs() > rule.threshold) & may_grow.any(1) & may_go.any(1)
        if not live.any():
            break
        grows = torch.where(may_grow, growth * sign, -torch.inf).argmax(1)
        goes = torch.where(may_go, price, torch.inf).argmin(1)
        at = rows[live]
        kept[at, grows[live]], kept[at, goes[live]] = True, False
        pruned[at, grows[live]], stays[at, goes[live]] = False, False
        error = torch.where(live, error + given[rows, goes] - given[rows, grows], error)
    return kept
