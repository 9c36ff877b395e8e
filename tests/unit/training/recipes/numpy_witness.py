"""The recipes' definitions in plain numpy: explicit loops, nothing shared with the code under test.

Weights are canonical here: [groups, out, in, *kernel], whatever torch stores first. A product is a list of taps, (where
in the output, where in the input, where in the kernel), which all three passes walk.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

OUT, IN = 1, 2
"""The axes of a canonical weight."""


# Masks ---------------------------------------------------------------------------------------------------------------


def top_n(magnitudes, kept, group, axis):
    """Group after group, by falling magnitude, then by rising index."""
    mask = np.zeros(magnitudes.shape, dtype=bool)
    lines, marks = np.moveaxis(magnitudes, axis, -1), np.moveaxis(mask, axis, -1)
    for place in np.ndindex(lines.shape[:-1]):
        line = lines[place]
        for start in range(0, len(line), group):
            members = range(start, min(start + group, len(line)))
            for index in sorted(members, key=lambda index: (-line[index], index))[:kept]:
                marks[(*place, index)] = True
    return mask


def forward_mask(weight, kept, group):
    return top_n(abs(weight), kept, group, IN)


def backward_mask(weight, kept, group):
    return top_n(abs(weight), kept, group, OUT)


def terms_mask(weight, terms, axis):
    """Term by term the largest of each group that no term before has taken."""
    taken = np.zeros(weight.shape, dtype=bool)
    for kept, group in terms:
        taken |= top_n(np.where(taken, -1.0, abs(weight)), kept, group, axis) & ~taken
    return taken


def transposable_mask(weight, kept, group):
    """Greedy over tiles of output by input channels: largest first, then lowest output, then lowest input channel."""
    mask = np.zeros(weight.shape, dtype=bool)
    groups, outs, ins, *kernel = weight.shape
    for g, *where in itertools.product(range(groups), *map(range, kernel)):
        for top, left in itertools.product(range(0, outs, group), range(0, ins, group)):
            rows, columns = range(top, min(top + group, outs)), range(left, min(left + group, ins))
            cells = sorted(itertools.product(rows, columns), key=lambda cell: (-abs(weight[(g, *cell, *where)]), *cell))
            taken_rows, taken_columns = dict.fromkeys(rows, 0), dict.fromkeys(columns, 0)
            for row, column in cells:
                if taken_rows[row] < kept and taken_columns[column] < kept:
                    mask[(g, row, column, *where)] = True
                    taken_rows[row] += 1
                    taken_columns[column] += 1
    return mask


def permuted_mask(weight, kept, group, forward, order):
    """Bi-Mask: top-N of the masked weights in a permuted order of the outputs, put back, within the forward mask."""
    shuffled = abs(weight * forward)[:, order]
    found = top_n(shuffled, kept, group, OUT)
    back = np.zeros_like(found)
    back[:, order] = found
    return back & forward


def pruned_gradient(gradient, kept, group, groups, *, draws=None, linear=False):
    """[B, groups x C, ...], or [..., C] of a linear layer, top-N over the channels of each sample and position."""
    channels = np.moveaxis(gradient, -1, 1) if linear and gradient.ndim > 1 else gradient
    channels = channels[None] if channels.ndim == 1 else channels
    grouped = channels.reshape(channels.shape[0], groups, -1, *channels.shape[2:])
    magnitudes = abs(grouped) if draws is None else draws
    pruned = (grouped * top_n(magnitudes, kept, group, 2)).reshape(channels.shape)
    pruned = pruned[0] if gradient.ndim == 1 else pruned
    return np.moveaxis(pruned, 1, -1) if linear and gradient.ndim > 1 else pruned


def soft_weight(weight, kept, group):
    """S-STE: the largest of a group less what is the largest of the rest, times the scale nearest to the weight."""
    soft = np.zeros_like(weight)
    lines, results = np.moveaxis(weight, IN, -1), np.moveaxis(soft, IN, -1)
    for place in np.ndindex(lines.shape[:-1]):
        for start in range(0, lines.shape[-1], group):
            members = lines[place][start : start + group]
            order = sorted(range(len(members)), key=lambda index: (-abs(members[index]), index))
            threshold = abs(members[order[kept]]) if len(members) > kept else 0.0
            for index in order[:kept]:
                results[(*place, start + index)] = np.sign(members[index]) * (abs(members[index]) - threshold)
    return soft * (weight * soft).sum() / (soft * soft).sum()


def probabilities(group, kept):
    """Of unbiased N:M with the least variance: the largest for certain, the others by their magnitude."""
    magnitudes, likely = [abs(each) for each in group], [0.0] * len(group)
    order = sorted(range(len(group)), key=lambda index: -magnitudes[index])
    for certain in range(kept + 1):
        rest = sum(magnitudes[index] for index in order[certain:])
        left = kept - certain
        if left == 0 or rest == 0 or left * magnitudes[order[certain]] < rest:
            for index in order[:certain]:
                likely[index] = 1.0 if magnitudes[index] else 0.0
            for index in order[certain:]:
                likely[index] = left * magnitudes[index] / rest if rest else 0.0
            return likely
    raise AssertionError(group)


def unbiased(values, kept, group, axis, draws):
    """Group after group: an element is kept where its draw, or a whole number more, falls into its stretch.

    Args:
        values: to be pruned.
        kept: N.
        group: M.
        axis: along which groups run.
        draws: a number of [0, 1) a group, groups last.
    """
    found = np.zeros_like(values)
    lines, results = np.moveaxis(values, axis, -1), np.moveaxis(found, axis, -1)
    for place in np.ndindex(lines.shape[:-1]):
        line = lines[place]
        for number, start in enumerate(range(0, len(line), group)):
            members = line[start : start + group]
            likely = probabilities(members, kept)
            begin = 0.0
            for offset, (value, p) in enumerate(zip(members, likely, strict=True)):
                # Those that are kept for certain stand aside.
                end = begin + (p if p < 1 else 0.0)
                draw = draws[(*place, number)]
                if p >= 1 or any(begin <= draw + whole < end for whole in range(kept)):
                    results[(*place, start + offset)] = value / p
                begin = end
    return found


def maxnorm(pruned, gradient, positions):
    before, after = abs(gradient).sum(positions, keepdims=True), abs(pruned).sum(positions, keepdims=True)
    return pruned * before / (after + 1e-4)


# Weights of the two passes -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A recipe at a moment of a run of 20 steps: what its definition makes of a weight."""

    recipe: str
    step: int = 0
    switched: int | None = None
    leak: float | None = None
    frame: tuple[int, int] | None = None
    dense: bool = False

    def __str__(self):
        return f"{self.recipe}-{self.step}"


STEPS = 20
"""Two dense, fourteen between, four final of the gradient flows."""

CASES = (
    *(Case(name) for name in ("dense", "sr-ste", "sdgp", "sdgp-maxnorm", "sdwp", "bdwp", "transposable", "bi-mask")),
    Case("step", dense=True),
    Case("step", step=9, dense=True),
    Case("step", step=12, switched=7),
    *(Case(f"mdgf-{kind}", step=1, dense=True) for kind in ("linear", "exponential")),
    Case("mdgf-linear", step=2, leak=1.0),
    Case("mdgf-linear", step=9, leak=0.5),
    Case("mdgf-linear", step=15, leak=1 / 14),
    Case("mdgf-exponential", step=2, leak=1.0),
    Case("mdgf-exponential", step=9, leak=np.exp(-5.0)),
    Case("mdgf-exponential", step=15, leak=np.exp(-10 * 13 / 14)),
    *(Case(f"mdgf-{kind}", step=step) for kind in ("linear", "exponential") for step in (16, 19)),
    *(Case(f"sdgf-{kind}", step=1, dense=True) for kind in ("stepwise", "geometric")),
    # Of 2:4 stepwise passes 3:4 and 2:4, seven steps each.
    Case("sdgf-stepwise", step=2, frame=(3, 4)),
    Case("sdgf-stepwise", step=8, frame=(3, 4)),
    Case("sdgf-stepwise", step=9, frame=(2, 4)),
    Case("sdgf-stepwise", step=17),
    # 16:32, 8:16, 4:8, 2:4: edges at 0, 3, 7, 10, 14 of the fourteen.
    Case("sdgf-geometric", step=2, frame=(16, 32)),
    Case("sdgf-geometric", step=5, frame=(8, 16)),
    Case("sdgf-geometric", step=9, frame=(4, 8)),
    Case("sdgf-geometric", step=12, frame=(2, 4)),
    Case("sdgf-geometric", step=19),
)


def weights(case, weight, kept, group, order=None):
    """What FF and what BP multiply by, [groups, out, in, *kernel]."""
    if case.dense or case.recipe in ("dense", "sdgp", "sdgp-maxnorm"):
        return weight, weight
    kept, group = case.frame or (kept, group)
    if weight.shape[IN] % group and case.frame:
        # The frame's group does not divide the channels: dense, as the simulation of that frame has it.
        return weight, weight
    forward = forward_mask(weight, kept, group)
    match case.recipe:
        case "sdwp":
            return weight, backward_mask(weight, kept, group) * weight
        case "bdwp":
            return forward * weight, backward_mask(weight, kept, group) * weight
        case "transposable":
            both = transposable_mask(weight, kept, group) * weight
            return both, both
        case "bi-mask":
            return forward * weight, permuted_mask(weight, kept, group, forward, order) * weight
    # SR-STE, STEP and both gradient flows: backward multiplies by what forward did.
    leaked = (forward + ~forward * (case.leak or 0.0)) * weight
    return leaked, leaked


# Products ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Convolution:
    """One convolution's geometry, an entry an axis."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    mode: str = "zeros"
    transposed: bool = False

    def taps(self, input_size, output_size):
        """Where a kernel position joins an input with an output position."""
        here, there = (input_size, output_size) if self.transposed else (output_size, input_size)
        for start in np.ndindex(*here):
            for k in np.ndindex(*self.kernel):
                end = [
                    self._inside(s * step - pad + at * apart, size)
                    for s, step, pad, at, apart, size in zip(
                        start, self.stride, self.padding, k, self.dilation, there, strict=True
                    )
                ]
                if None not in end:
                    yield (tuple(end), start, k) if self.transposed else (start, tuple(end), k)

    def _inside(self, at, size):
        if 0 <= at < size:
            return at
        match self.mode:
            case "zeros":
                return None
            case "circular":
                return at % size
            case "reflect":
                return -at if at < 0 else 2 * (size - 1) - at
            case "replicate":
                return min(max(at, 0), size - 1)
        raise AssertionError(self.mode)


def passes(taps, values, forward_weight, backward_weight, bias, gradient, moving):
    """z, dx and dW of one product.

    Args:
        taps: all of them.
        values: [B, groups x in, *space].
        forward_weight: [groups, out, in, *kernel].
        backward_weight: the same.
        bias: [groups x out] or None.
        gradient: [B, groups x out, *space], dz.
        moving: what BP multiplies instead.
    """
    groups, outs, ins = forward_weight.shape[:3]
    output, input_gradient = np.zeros_like(gradient), np.zeros_like(values)
    weight_gradient = np.zeros_like(forward_weight)
    for (at_output, at_input, k), g in itertools.product(taps, range(groups)):
        o, i = slice(g * outs, (g + 1) * outs), slice(g * ins, (g + 1) * ins)
        z, x, w = (slice(None), o, *at_output), (slice(None), i, *at_input), (g, slice(None), slice(None), *k)
        output[z] += values[x] @ forward_weight[w].T
        input_gradient[x] += moving[z] @ backward_weight[w]
        weight_gradient[w] += gradient[z].T @ values[x]
    if bias is not None:
        output += bias.reshape(1, -1, *(1,) * (gradient.ndim - 2))
    return output, input_gradient, weight_gradient


def canonical(stored, groups, transposed):
    """A stored weight, [out, in / groups, ...] or [in, out / groups, ...], as [groups, out, in, ...]."""
    split = stored.reshape(groups, -1, *stored.shape[1:])
    return np.swapaxes(split, 1, 2) if transposed else split


def stored(weight, transposed):
    """The other way round."""
    split = np.swapaxes(weight, 1, 2) if transposed else weight
    return split.reshape(-1, *split.shape[2:])


# Numbers of 16 bits --------------------------------------------------------------------------------------------------


def rounded(values, precision):
    """Nearest, ties to even, back in FP32."""
    values = np.asarray(values, np.float32)
    if precision == "fp16":
        with np.errstate(over="ignore"):
            return values.astype(np.float16).astype(np.float32)
    bits = values.view(np.uint32).astype(np.uint64)
    nearest = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return nearest.astype(np.uint32).view(np.float32)


# Updates -------------------------------------------------------------------------------------------------------------


class AdamW:
    """Loshchilov and Hutter's, on one array; ``freeze`` makes it STEP's second phase."""

    def __init__(self, weight, *, rate, betas=(0.9, 0.999), epsilon=1e-8, decay=0.0):
        self.weight, self.rate, self.betas, self.epsilon, self.decay = weight.copy(), rate, betas, epsilon, decay
        self.first, self.second = np.zeros_like(weight), np.zeros_like(weight)
        self.steps, self.frozen = 0, None

    def freeze(self):
        self.frozen = self.second / (1 - self.betas[1] ** self.steps)

    def step(self, gradient):
        self.steps += 1
        self.first = self.betas[0] * self.first + (1 - self.betas[0]) * gradient
        mean = self.first / (1 - self.betas[0] ** self.steps)
        if self.frozen is None:
            self.second = self.betas[1] * self.second + (1 - self.betas[1]) * gradient**2
            scale = np.sqrt(self.second / (1 - self.betas[1] ** self.steps)) + self.epsilon
        else:
            scale = np.sqrt(self.frozen + self.epsilon)
        self.weight -= self.rate * (mean / scale + self.decay * self.weight)
