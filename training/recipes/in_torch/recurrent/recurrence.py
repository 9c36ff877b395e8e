"""One direction of one recurrent layer: T products of the state, one after another, each with a weight of its pass.

    y_t  = p(h_(t-1)) W_ff^T  FF: T products of B rows, each waiting for the gates of the step before
    dh  += p(dy_t) W_bp       BP: T products of B rows, last step first
    dW   = p(dy)^T p(h)       WU: one product over all steps, T B summed up

The products of the input wait for nothing and are one product of T B rows, outside. So cuDNN computes a layer, too
(Appleyard, Kocisky and Blunsom, arXiv 1604.01946). Torch's own layer on a CPU makes T small weight gradients and adds
them up. The gates are those of ``cells``.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..precision import rounded
from ..product import Passes
from .cells import Kind, adds_up, step, step_back


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How a recurrence runs.

    Attributes:
        kind: of the cell.
        axis: of time, in what it reads and gives.
        reverse: from the last step to the first.
        passes: what each pass multiplies the state by.
    """

    kind: Kind
    axis: int
    reverse: bool
    passes: Passes

    def order(self, steps: int) -> range:
        """Places of the steps in the sequence, in the order in which they run."""
        return range(steps - 1, -1, -1) if self.reverse else range(steps)


class Recurrence(torch.autograd.Function):
    """The steps of a layer in one direction; see the module."""

    @staticmethod
    def forward(
        ctx: Any,
        from_input: Tensor,
        hidden: Tensor,
        cell: Tensor | None,
        weight: Tensor,
        bias: Tensor | None,
        course: Course,
    ) -> tuple[Tensor, ...]:
        """Return h of every step, stacked along the axis of time, the last h, and of an LSTM the last c.

        Args:
            ctx: torch's.
            from_input: products of the input with their bias [T, B, gates * H], or [B, T, ..] as the axis says.
            hidden: h before the first step [B, H].
            cell: c of an LSTM before it [B, H].
            weight: where the gradient goes [gates * H, H]; ``course.passes.forward_weight`` is multiplied by.
            bias: of the state's product [gates * H]; None where there is none, or the input's product has it.
            course: the rest.
        """
        passes, summed = course.passes, adds_up(course.kind)
        kernel = rounded(passes.forward_weight, passes.precision).t()
        parts = from_input.unbind(course.axis)
        before: list[_Read] = []
        for place in course.order(len(parts)):
            operand = rounded(hidden, passes.precision)
            moving = passes.pruned(passes.prune_input, operand)
            addend = parts[place] if summed else bias
            state = moving @ kernel if addend is None else torch.addmm(addend, moving, kernel)
            done = step(course.kind, parts[place], rounded(state, passes.precision), hidden, cell)
            before.append(_Read(operand, hidden, cell, done.kept))
            hidden, cell = done.hidden, done.cell
        after = [*(each.hidden for each in before[1:]), hidden]
        outputs = torch.stack(after[::-1] if course.reverse else after, course.axis)
        ctx.course, ctx.steps = course, len(before)
        tensors = (each.tensors for each in before)
        ctx.save_for_backward(rounded(passes.backward_weight, passes.precision), *itertools.chain(*tensors))
        ctx.set_materialize_grads(False)
        # The last state may be written to by whoever gets it.
        return (outputs, hidden.clone()) if cell is None else (outputs, hidden.clone(), cell.clone())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the gradients of all that ``forward`` was given."""
        course: Course = ctx.course
        passes, axis = course.passes, course.axis
        weight, *saved = ctx.saved_tensors
        each = len(saved) // ctx.steps
        read = [_Read.of(saved[at : at + each], course.kind) for at in range(0, len(saved), each)]
        wants_input, wants_hidden, wants_cell, wants_weight, wants_bias, _ = ctx.needs_input_grad
        of_outputs, of_hidden, of_cell = (*gradients, None)[:3]
        of_inputs: list[Tensor] = []
        of_states: list[Tensor] = []
        for at in range(ctx.steps - 1, -1, -1):
            now = read[at]
            if of_outputs is not None:
                own = of_outputs.select(axis, ctx.steps - 1 - at if course.reverse else at)
                of_hidden = own if of_hidden is None else own + of_hidden
            if of_hidden is None:
                of_hidden = torch.zeros_like(now.hidden)
            back = step_back(course.kind, now.kept, now.hidden, now.cell, of_hidden, of_cell)
            of_state = rounded(back.of_state, passes.precision)
            of_inputs.append(back.of_input)
            of_states.append(of_state)
            of_hidden, of_cell = back.hidden, back.cell
            if at or wants_hidden:
                of_hidden = _through(passes, of_state, weight, of_hidden)
        # In the order of the sequence, as the input's product reads it.
        if course.reverse:
            read = read[::-1]
        else:
            of_inputs, of_states = of_inputs[::-1], of_states[::-1]
        of_input = torch.stack(of_inputs, axis)
        of_state = of_input if adds_up(course.kind) and passes.precision == "fp32" else torch.stack(of_states, axis)
        if passes.see_gradient is not None:
            passes.see_gradient(of_state)
        of_weight = of_bias = None
        if wants_weight:
            operands = torch.stack([now.operand for now in read], axis)
            of_weight = passes.geometry.weight_gradient(
                passes.pruned(passes.update_gradient, of_state), passes.pruned(passes.update_input, operands), weight
            )
        if wants_bias:
            of_bias = passes.geometry.bias_gradient(of_state)
        return (
            of_input if wants_input else None,
            of_hidden if wants_hidden else None,
            of_cell if wants_cell else None,
            of_weight,
            of_bias,
            None,
        )


@dataclass(frozen=True, slots=True)
class _Read:
    """What one step read, and what its gradient needs.

    Attributes:
        operand: h as the product read it.
        hidden: h as the gates read it.
        cell: c of an LSTM.
        kept: by ``cells.step``.
    """

    operand: Tensor
    hidden: Tensor
    cell: Tensor | None
    kept: tuple[Tensor, ...]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All of it, to be saved."""
        return (self.operand, self.hidden, *(() if self.cell is None else (self.cell,)), *self.kept)

    @classmethod
    def of(cls, tensors: Sequence[Tensor], kind: Kind) -> _Read:
        """From what was saved."""
        operand, hidden, *rest = tensors
        cell = rest.pop(0) if kind == "LSTM" else None
        return cls(operand, hidden, cell, tuple(rest))


def _through(passes: Passes, of_state: Tensor, weight: Tensor, straight: Tensor | None) -> Tensor:
    """The gradient of h: what comes through the product, and what comes past it."""
    moving = passes.pruned(passes.prune_gradient, of_state)
    if passes.precision == "fp32" and straight is not None:
        return torch.addmm(straight, moving, weight)
    through = rounded(moving @ weight, passes.precision)
    return through if straight is None else straight + through
