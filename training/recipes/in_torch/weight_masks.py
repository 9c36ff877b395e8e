"""The masks of a weight: N:M along one stage's axis, along both at once, or along one in a permuted order.

Sources: Zhou et al., ICLR 2021 (top-N along the input channels); Hubara et al., NeurIPS 2021 (one transposable mask,
its greedy 2-approximation); Zhang et al., ICML 2023 (Bi-Mask, a backward mask in a permuted order). The papers' maths,
on tiles of channels at a fixed kernel position.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ....configs.balanced import Balanced, kept_of_line
from ....configs.lines import Lines
from ....configs.operand_format import OperandFormat
from ....configs.pattern import Pattern
from ....configs.structured import Structured
from ....configs.terms import Terms
from ....configs.unstructured import Unstructured
from ...graph import Stage
from .top_n import top_n_mask
from .weight_axes import WeightAxes


def stage_mask(weight: Tensor, axes: WeightAxes, pattern: Pattern, stage: Stage) -> Tensor:
    """The N largest of each group along a stage's axis, as a mask of the weight's shape."""
    return top_n_mask(axes.by_group(weight).abs(), pattern, axes.axis(stage)).flatten(0, 1)


def mask_of_terms(weight: Tensor, axes: WeightAxes, sparse: Terms, stage: Stage) -> Tensor:
    """What each term keeps of the largest that those before it left, as one mask of the weight's shape."""
    mask = torch.zeros_like(weight, dtype=torch.bool)
    for term in sparse.terms:
        # What is taken ranks below zeros, and above what pads a short group: every term keeps N of what is left.
        rest = torch.where(mask, torch.full_like(weight, -0.5), weight.abs())
        mask = mask | top_n_mask(axes.by_group(rest), term, axes.axis(stage)).flatten(0, 1)
    return mask


def largest_mask(weight: Tensor, axes: WeightAxes, sparse: Unstructured) -> Tensor:
    """The largest elements of a weight, or blocks of the largest norm, as a mask of the weight's shape.

    As many are kept as the format's density says, rounded to whole blocks; of balanced zeros, in every line. Of equal
    ones the first along the output channels is kept, then along the input channels. Blocks lie at one kernel position;
    those at an edge are short.

    Args:
        weight: the master weight.
        axes: where its channels lie.
        sparse: the format, blocks as outputs by inputs.
    """
    if isinstance(sparse, Balanced):
        mask = _largest_in_each(_channels(weight, axes), sparse)
        return (mask.transpose(-1, -2) if axes.transposed else mask).movedim(1, 3).reshape(weight.shape)
    return largest_masks([(weight, axes, sparse)])[0]


def largest_masks(weights: Sequence[tuple[Tensor, WeightAxes, Unstructured]]) -> list[Tensor]:
    """The same of several weights together: one list of their elements or blocks, as many kept as their formats say.

    Of equal ones those of the first weight are kept first. None of the formats is balanced.
    """
    norms = [block_norms(*each) for each in weights]
    listed = torch.cat([each.flatten().to(norms[0].device) for each in norms])
    count = sum(kept_blocks(each.numel(), sparse) for each, (_, _, sparse) in zip(norms, weights, strict=True))
    order = listed.sort(descending=True, stable=True).indices
    kept = torch.zeros(len(listed), dtype=torch.bool, device=listed.device)
    kept[order[:count]] = True
    ends = accumulate(each.numel() for each in norms)
    return [
        mask_of_blocks(kept[end - each.numel() : end].reshape(each.shape).to(each.device), *weight)
        for end, each, weight in zip(ends, norms, weights, strict=True)
    ]


def kept_blocks(blocks: int, sparse: Unstructured) -> int:
    """How many of so many a format keeps: at least one."""
    return max(1, round(sparse.density * blocks))


def block_norms(weight: Tensor, axes: WeightAxes, sparse: Unstructured) -> Tensor:
    """Sums of squares of the blocks of a weight, [groups, kernel, down, across]; of elements alone, theirs."""
    channels = _channels(weight, axes)
    rows, columns = channels.shape[-2:]
    squares = functional.pad(channels.square(), (0, -columns % sparse.cols, 0, -rows % sparse.rows))
    across, down = squares.shape[-1] // sparse.cols, squares.shape[-2] // sparse.rows
    return squares.reshape(*squares.shape[:-2], down, sparse.rows, across, sparse.cols).sum((-3, -1))


def mask_of_blocks(kept: Tensor, weight: Tensor, axes: WeightAxes, sparse: Unstructured) -> Tensor:
    """The mask of a weight's shape in which whole blocks are kept, laid as ``block_norms`` has them."""
    rows, columns = _channels(weight, axes).shape[-2:]
    blocks = kept.repeat_interleave(sparse.rows, -2).repeat_interleave(sparse.cols, -1)
    mask = blocks[..., :rows, :columns]
    if axes.transposed:
        mask = mask.transpose(-1, -2)
    return mask.movedim(1, 3).reshape(weight.shape)


def format_mask(
    weight: Tensor, axes: WeightAxes, sparse: OperandFormat, stage: Stage, *, taken: OperandFormat
) -> Tensor:
    """The largest of a weight, as a format keeps them.

    Args:
        weight: the master weight, or what stands in its place.
        axes: where its channels lie.
        sparse: the format, as the stage has it.
        stage: along whose contraction axis groups lie.
        taken: what the product is multiplied as: of zeros without a rule perhaps a sum of N:M terms.
    """
    if isinstance(sparse, Unstructured):
        largest = largest_mask(weight, axes, sparse if stage is Stage.FORWARD else sparse.turned)
        if not isinstance(taken, Terms):
            return largest
        return mask_of_terms(weight * largest, axes, taken, stage) & largest
    if isinstance(sparse, Structured):
        return structured_mask(weight, axes, sparse if stage is Stage.FORWARD else sparse.turned)
    if isinstance(sparse, Terms):
        return mask_of_terms(weight, axes, sparse, stage)
    return stage_mask(weight, axes, Pattern.only(sparse), stage)


def _channels(weight: Tensor, axes: WeightAxes) -> Tensor:
    """[groups, kernel, out, in] of a weight, whatever torch stores first."""
    by_group = axes.by_group(weight)
    channels = by_group.flatten(3).movedim(3, 1) if by_group.dim() > 3 else by_group.unsqueeze(1)
    return channels.transpose(-1, -2) if axes.transposed else channels


def structured_mask(weight: Tensor, axes: WeightAxes, sparse: Structured) -> Tensor:
    """What a structure leaves of a weight, as a mask of its shape: of lines those of the largest norm, in each group.

    Args:
        weight: the master weight.
        axes: where its channels lie.
        sparse: the format, rows as outputs of FF.
    """
    channels = _channels(weight, axes)
    rows, columns = channels.shape[-2:]
    if isinstance(sparse, Lines):
        norms = channels.square().sum((1, -1 if sparse.line == "rows" else -2))
        order = norms.sort(dim=-1, descending=True, stable=True).indices[:, : sparse.kept_lines(norms.shape[-1])]
        lines = torch.zeros_like(norms, dtype=torch.bool).scatter_(-1, order, value=True)
        mask = (lines[:, None, :, None] if sparse.line == "rows" else lines[:, None, None, :]).expand_as(channels)
    else:
        one = torch.from_numpy(sparse.mask(np.random.default_rng(0), rows, columns)).to(weight.device)
        mask = one.expand_as(channels)
    if axes.transposed:
        mask = mask.transpose(-1, -2)
    return mask.movedim(1, 3).reshape(weight.shape).contiguous()


def _largest_in_each(channels: Tensor, sparse: Balanced) -> Tensor:
    """Of [groups, kernel, out, in] the largest of each output, or of each input; of equal ones the first."""
    lines = channels.abs().movedim(1, -1) if sparse.within == "row" else channels.abs().transpose(-1, -2).movedim(1, -1)
    flat = lines.flatten(-2)
    order = flat.sort(dim=-1, descending=True, stable=True).indices
    kept = torch.zeros_like(flat, dtype=torch.bool)
    kept.scatter_(-1, order[..., : kept_of_line(flat.shape[-1], sparse.density)], value=True)
    mask = kept.reshape(lines.shape).movedim(-1, 1)
    return mask if sparse.within == "row" else mask.transpose(-1, -2)


def transposable_mask(weight: Tensor, axes: WeightAxes, pattern: Pattern) -> Tensor:
    """A mask that is N:M along the input and along the output channels.

    Tiles of M x M channels: their entries are taken from the largest down, each where its row and its column have kept
    fewer than N. At least half the magnitude of the best such mask is kept. Of equal entries the lowest output channel
    comes first, then the lowest input channel. Short tiles at the edges keep up to N a row and column.
    """
    magnitudes = axes.by_group(weight).abs()
    # [groups, kernel, out, in], whatever torch stores first: ties are told in that order.
    channels = magnitudes.flatten(3).movedim(3, 1) if magnitudes.dim() > 3 else magnitudes.unsqueeze(1)
    if axes.transposed:
        channels = channels.transpose(-1, -2)
    kept = _greedy_tiles(channels, pattern)
    if axes.transposed:
        kept = kept.transpose(-1, -2)
    return kept.movedim(1, 3).reshape(weight.shape)


def _greedy_tiles(channels: Tensor, pattern: Pattern) -> Tensor:
    size = pattern.group
    rows, columns = channels.shape[-2:]
    padded = functional.pad(channels, (0, -columns % size, 0, -rows % size), value=-1.0)
    down, across = padded.shape[-2] // size, padded.shape[-1] // size
    tiles = padded.reshape(*padded.shape[:-2], down, size, across, size).movedim(-2, -3)
    # [..., row tiles, column tiles, M, M] to [tiles, M * M].
    shape = tiles.shape
    flat = tiles.reshape(-1, size * size)
    order = flat.sort(dim=1, descending=True, stable=True).indices
    each = torch.arange(len(flat), device=flat.device)
    free_rows = torch.full((len(flat), size), pattern.kept, dtype=torch.int16, device=flat.device)
    free_columns = free_rows.clone()
    kept = torch.zeros_like(flat, dtype=torch.bool)
    for entry in order.unbind(1):
        row, column = entry // size, entry % size
        taken = (free_rows[each, row] > 0) & (free_columns[each, column] > 0) & (flat[each, entry] >= 0)
        kept[each, entry] = taken
        free_rows[each, row] -= taken.to(torch.int16)
        free_columns[each, column] -= taken.to(torch.int16)
    whole = kept.reshape(shape).movedim(-3, -2).flatten(-4, -3).flatten(-2)
    return whole[..., :rows, :columns]


def permuted_backward_mask(
    weight: Tensor, axes: WeightAxes, pattern: Pattern, forward_mask: Tensor, order: Tensor
) -> Tensor:
    """Bi-Mask's backward mask: of what the forward mask keeps, N of M output channels in a permuted order.

    Args:
        weight: the master weight.
        axes: its axes.
        pattern: N:M along the output channels, in that order.
        forward_mask: what FF keeps.
        order: output channels of one group, in the order in which they are grouped by M.
    """
    axis = axes.axis(Stage.BACKWARD)
    kept = axes.by_group(forward_mask)
    magnitudes = (axes.by_group(weight) * kept).abs().index_select(axis, order)
    inverse = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))
    mask = top_n_mask(magnitudes, pattern, axis).index_select(axis, inverse)
    return (mask & kept).flatten(0, 1)


def best_order(
    weight: Tensor, axes: WeightAxes, pattern: Pattern, forward_mask: Tensor, tried: int, generator: torch.Generator
) -> Tensor:
    """Of so many random orders of the output channels, the one whose backward mask keeps most non-zero weights."""
    channels = axes.channels(Stage.BACKWARD)
    best, most = torch.arange(channels, device=weight.device), -1
    for _ in range(tried):
        order = torch.randperm(channels, generator=generator).to(weight.device)
        mask = permuted_backward_mask(weight, axes, pattern, forward_mask, order)
        kept = int((mask & (weight != 0)).sum())
        if kept > most:
            best, most = order, kept
    return best
