"""Units of a network described in words: those of the highest pointwise mutual information with what excites the unit.

Of a unit E are the inputs that excite it most. A word w that captions speak of is worth

    pmi(w; E) = log P(w | E) - weight log P(w)

so that a word is told that holds of E more than of all inputs. Source: Hernandez et al., ICLR 2022: Natural language
descriptions of deep visual features (arXiv 2201.11114), section 3. There P is that of a captioner and of a language
model, both trained on 60,000 human descriptions, and E are image regions. Here P are counts, over a vocabulary of some
twenty words that the labels and the ink of digits are turned into, and E are whole images: it finds which of *these*
words a unit goes with, and can find no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...configs.errors import ConfigError

Caption = frozenset[str]
"""Words that hold of one input."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A unit in words.

    Attributes:
        unit: which.
        words: the best ones, each with its pointwise mutual information in nats; none of a unit that all inputs excite
            alike.
    """

    unit: int
    words: tuple[tuple[str, float], ...]


def describe(
    activations: npt.NDArray[Any],
    captions: Sequence[Caption],
    *,
    exemplars: int = 50,
    words: int = 2,
    weight: float = 1.0,
) -> list[Described]:
    """Describe units by the words of the highest pointwise mutual information.

    Args:
        activations: [inputs, units].
        captions: one an input.
        exemplars: inputs in E, the most active.
        words: told of each unit.
        weight: of log P(w); the paper's lambda.

    Raises:
        ConfigError: there are not as many captions as inputs, or fewer than exemplars.
    """
    if len(captions) != len(activations) or not 1 <= exemplars <= len(captions):
        raise ConfigError(
            f"captions: got {len(captions)} of {len(activations)} inputs and {exemplars} exemplars, need one of each "
            "input, and at most as many exemplars"
        )
    known, holds = spoken(captions)
    excite = np.argsort(-activations, axis=0, kind="stable")[:exemplars]
    prior = holds.mean(axis=0)
    # A word that no exemplar has counts as one exemplar of all inputs would: log 0 is nobody's evidence.
    given = (holds[excite].sum(axis=0) + prior) / (exemplars + 1)
    worth = np.log(given) - weight * np.log(prior)
    best = np.argsort(-worth, axis=1, kind="stable")[:, :words]
    return [
        Described(unit=unit, words=tuple((known[word], float(worth[unit, word])) for word in own) if differs else ())
        for unit, (own, differs) in enumerate(zip(best, np.ptp(activations, axis=0) > 0, strict=True))
    ]


def spoken(captions: Sequence[Caption]) -> tuple[list[str], FloatArray]:
    """The vocabulary of captions, and where each word holds [inputs, words]."""
    known = sorted(set().union(*captions))
    return known, np.array([[word in caption for word in known] for caption in captions], dtype=float)


def held_out(described: Described, activations: npt.NDArray[Any], captions: Sequence[Caption]) -> float:
    """How well a unit's best word tells, of inputs that did not choose it, which excite the unit.

    The chance that an input with the word excites the unit more than one without (half of ties): 0.5 says nothing. NaN
    where all inputs have it, or none.
    """
    word, own = described.words[0][0], activations[:, described.unit]
    has = np.array([word in caption for caption in captions])
    having, lacking = own[has], np.sort(own[~has])
    if not len(having) or not len(lacking):
        return float("nan")
    below, up_to = (np.searchsorted(lacking, having, side=side) for side in ("left", "right"))
    return float((below + up_to).mean() / (2 * len(lacking)))


_SHAPES = {
    "round": (0, 2, 3, 5, 6, 8, 9),
    "straight": (1, 4, 7),
    "closed": (0, 6, 8, 9),
    "open": (1, 2, 3, 5, 7),
}
"""Digits with a curve, with none, with a closed loop, with none, as they are mostly written (a four may be either)."""

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def captions_of_digits(images: npt.NDArray[Any], labels: npt.NDArray[Any]) -> list[Caption]:
    """Captions of written digits: the digit's name and shape, out of its label, and how it is written, out of its ink.

    Each of the four measures of ink says one word of the upper third of images and another of the lower third.

    Args:
        images: [N, H, W], more where there is ink.
        labels: [N], the digits.
    """
    ink = np.asarray(images, dtype=float)
    rows, columns = np.arange(ink.shape[1])[:, None], np.arange(ink.shape[2])[None, :]
    total = np.maximum(ink.sum(axis=(1, 2)), 1e-9)
    row, column = ((ink * along).sum(axis=(1, 2)) / total for along in (rows, columns))
    across = columns[None] - column[:, None, None]
    slant = (ink * across * (row[:, None, None] - rows[None])).sum(axis=(1, 2)) / total
    spread = (ink * across**2).sum(axis=(1, 2)) / total
    measures = (("bold", "thin", total), ("leaning right", "leaning left", slant), ("wide", "narrow", spread),
                ("low", "high", row))  # fmt: skip
    found = [{_DIGITS[label], *(word for word, digits in _SHAPES.items() if label in digits)} for label in labels]
    for upper, lower, measure in measures:
        least, most = np.quantile(measure, (1 / 3, 2 / 3))
        for words, value in zip(found, measure, strict=True):
            words.update((upper,) if value > most else (lower,) if value < least else ())
    return [Caption(words) for words in found]
