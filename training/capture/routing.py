"""Sizes that routing decides: how many rows of data an expert gets whose tokens are looked up by a mask.

A gate picks experts by ``topk`` or ``argmax``: its result is an index below their number. Where a mask asks for one of
them (``index == expert``), each is asked for equally often, as training with a balancing loss aims at, or in proportion
to a load that is given. So many positions a mask on the meta device is taken to have, and ``nonzero`` and selections by
the mask have a size. Of any other mask nothing is known without data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import torch

from ...configs.errors import CaptureError
from .tensor_identity import storage_key

_PICKS = {"aten::topk": 1, "aten::sort": 1, "aten::argmax": 0, "aten::argmin": 0, "aten::argsort": 0, "aten::max": 1}
"""Operators that pick along an axis, and which of their results is the index."""

_KEEPS = frozenset({"aten::clone", "aten::_to_copy", "aten::copy", "aten::cat", "aten::detach"})
"""Operators whose result holds the same numbers as their first operand."""


@dataclass(slots=True)
class Routing:
    """What is known of indices and masks while a step runs.

    Attributes:
        loads: of each expert relative to the others'; balanced when None.
        experts: the numbers of experts that masks asked for.
        samples: the batch sizes at which every count is whole are multiples of it.
    """

    loads: tuple[int, ...] | None = None
    experts: set[int] = field(default_factory=set)
    samples: int = 1
    _choices: dict[int, int] = field(default_factory=dict)
    _shares: dict[int, Fraction] = field(default_factory=dict)
    _kept: list[torch.Tensor] = field(default_factory=list)

    def watch(self, name: str, args: Sequence[Any], result: Any) -> None:
        """See an operator that ran.

        Args:
            name: with its namespace.
            args: by position.
            result: what it gave.
        """
        base = name.removesuffix("_")
        if base in _PICKS and args and isinstance(args[0], torch.Tensor) and args[0].dim():
            picked = result[_PICKS[base]] if isinstance(result, tuple | list) else result
            axis = _axis(base, args)
            if picked is not None and axis is not None:
                self._choices[self._key(picked)] = args[0].shape[axis]
        elif base == "aten::eq" and isinstance(args[0], torch.Tensor):
            choices = self._choices.get(storage_key(args[0]))
            if choices is not None:
                self._shares[self._key(result)] = self._share(choices, args[1])
        elif base in _KEEPS and isinstance(result, torch.Tensor):
            source = args[0][0] if isinstance(args[0], list | tuple) else args[0]
            self._keep(source, result)

    def _keep(self, source: object, result: torch.Tensor) -> None:
        if not isinstance(source, torch.Tensor):
            return
        before = storage_key(source)
        if before in self._choices:
            self._choices[self._key(result)] = self._choices[before]
        if before in self._shares:
            self._shares[self._key(result)] = self._shares[before]

    def positions(self, mask: torch.Tensor) -> torch.Tensor | None:
        """[count, axes] where a mask holds, as ``nonzero`` has it; None of one of which nothing is known."""
        share = self._shares.get(storage_key(mask))
        if share is None:
            return None
        count = mask.numel() * share
        self.samples = math.lcm(self.samples, count.denominator)
        return mask.new_empty((math.ceil(count), mask.dim()), dtype=torch.int64)

    def _share(self, choices: int, asked: object) -> Fraction:
        self.experts.add(choices)
        if self.loads is None or not isinstance(asked, int):
            return Fraction(1, choices)
        if len(self.loads) != choices:
            raise CaptureError(
                f"expert load: got {len(self.loads)} loads, need {choices}, one for each expert of the gate; try "
                f"{','.join('1' * choices)}"
            )
        return Fraction(self.loads[asked % choices], sum(self.loads))

    def _key(self, tensor: torch.Tensor) -> int:
        # Kept alive, so that its address names no other storage.
        self._kept.append(tensor)
        return storage_key(tensor)


def _axis(name: str, args: Sequence[Any]) -> int | None:
    """The axis that an operator picks along; None where it is all of them."""
    place = 2 if name == "aten::topk" else 1
    if name == "aten::max" and len(args) < 2:
        return None
    given = args[place] if len(args) > place else -1
    return given if isinstance(given, int) else None


def with_positions(routing: Routing, name: str, args: tuple[Any, ...]) -> tuple[Any, ...] | torch.Tensor | None:
    """What ``nonzero`` gives; or the arguments of a selection with positions in place of masks; None of any other."""
    if name == "aten::nonzero" and args[0].is_meta:
        return routing.positions(args[0])
    if name not in ("aten::index", "aten::index_put", "aten::index_put_"):
        return None
    table, indices, *rest = args
    if not table.is_meta:
        return None
    plain: list[Any] = []
    masked = False
    for index in indices:
        if isinstance(index, torch.Tensor) and index.dtype in (torch.bool, torch.uint8):
            found = routing.positions(index)
            if found is None:
                return None
            plain += found.unbind(1)
            masked = True
        else:
            plain.append(index)
    return (table, plain, *rest) if masked else None
