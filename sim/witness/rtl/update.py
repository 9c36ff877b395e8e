"""The update lane in SystemVerilog, and what it is to compute: SGD with momentum and weight decay in fixed point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....configs.arrays import BoolArray, IntArray
from .icarus import simulate, top_of

WORD_BITS, FACTOR_BITS, COPY_BITS = 32, 16, 16
"""Bits of a master weight, of a factor (a fraction of one), and of the copy that the next step multiplies by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors:
    """Of a step, each in units of 2**-FACTOR_BITS."""

    momentum: int
    rate: int
    decay_of_kept: int = 0
    decay_of_pruned: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What an update reads, a word each, [weights].

    Attributes:
        weight: master weights.
        velocity: the optimiser's state.
        gradient: of the loss.
        kept: whether a weight's mask keeps it.
    """

    weight: IntArray
    velocity: IntArray
    gradient: IntArray
    kept: BoolArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """What it writes, [weights].

    Attributes:
        weight: master weights.
        velocity: the optimiser's state.
        copy: the upper bits of the weights.
    """

    weight: IntArray
    velocity: IntArray
    copy: IntArray


def definition(weights: Weights, factors: Factors) -> Updated:
    """An update in numpy: products rounded half up, sums saturated.

    One half, moved against a gradient of one quarter at a rate of one quarter:

    >>> half, quarter = np.array([1 << 15]), np.array([1 << 14])
    >>> at = Weights(weight=half, velocity=0 * half, gradient=quarter, kept=np.array([True]))
    >>> definition(at, Factors(momentum=0, rate=1 << 14)).weight / (1 << 16)
    array([0.4375])
    """
    decay = np.where(weights.kept, factors.decay_of_kept, factors.decay_of_pruned)
    velocity = _saturated(
        _scaled(weights.velocity, factors.momentum) + weights.gradient + _scaled(weights.weight, decay), WORD_BITS
    )
    weight = _saturated(weights.weight - _scaled(velocity, factors.rate), WORD_BITS)
    cut = WORD_BITS - COPY_BITS
    return Updated(weight=weight, velocity=velocity, copy=_saturated((weight + (1 << cut - 1)) >> cut, COPY_BITS))


def play(batches: Sequence[tuple[Weights, Factors]]) -> list[tuple[Updated, IntArray]]:
    """Updates on a lane each, in one simulation: what they write, and the cycle in which each weight leaves.

    Raises:
        ConfigError: there is no Icarus Verilog.
    """
    files: dict[str, str] = {}
    benches: dict[str, dict[str, int | str]] = {}
    for number, (weights, factors) in enumerate(batches):
        name = f"lane{number}"
        files[f"{name}_rows.hex"] = "\n".join(_rows(weights)) + "\n"
        benches[name] = {
            "NAME": name,
            "WEIGHTS": len(weights.weight),
            "WORD_BITS": WORD_BITS,
            "FACTOR_BITS": FACTOR_BITS,
            "COPY_BITS": COPY_BITS,
            "MOMENTUM": factors.momentum,
            "RATE": factors.rate,
            "DECAY_OF_KEPT": factors.decay_of_kept,
            "DECAY_OF_PRUNED": factors.decay_of_pruned,
        }
    said: dict[str, list[list[int]]] = {name: [] for name in benches}
    for line in simulate("update_bench.sv", top_of("update_bench", benches), files):
        name, _, *numbers = line.split()
        said[name].append(list(map(int, numbers)))
    found = []
    for rows in said.values():
        cycle, weight, velocity, copy = np.array(rows, dtype=np.int64).T
        found.append((Updated(weight=weight, velocity=velocity, copy=copy), cycle))
    return found


def _rows(weights: Weights) -> list[str]:
    mask = (1 << WORD_BITS) - 1
    columns = (weights.kept, weights.weight, weights.velocity, weights.gradient)
    rows = []
    for row in zip(*(column.tolist() for column in columns), strict=True):
        number = 0
        for word in row:
            number = number << WORD_BITS | (int(word) & mask)
        rows.append(f"{number:x}")
    return rows


def _scaled(words: IntArray, factor: int | IntArray) -> IntArray:
    return (words * factor + (1 << FACTOR_BITS - 1)) >> FACTOR_BITS


def _saturated(words: IntArray, bits: int) -> IntArray:
    return np.clip(words, -(1 << bits - 1), (1 << bits - 1) - 1)
