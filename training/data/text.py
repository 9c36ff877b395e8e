"""A text as data: one symbol a character, cut by position into 80% training, 10% validation and 10% test.

The symbols are the distinct characters of the whole text in the order of their code points: an alphabet, of which no
statistic is taken. Neighbouring splits are cut so that no target of one is an input of the next.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...configs.errors import ConfigError
from .data_set import DataSet, Split, text_set

CONTEXT = 64
"""Symbols that a network reads at once, unless told otherwise."""

_TRAIN_PERCENT = 80
_VALIDATION_PERCENT = 10


def from_text(name: str, text: str, *, context: int | None, source: str) -> DataSet:
    """The data set of one text.

    Raises:
        ConfigError: the context is not positive, or a split is shorter than one window.
    """
    context = CONTEXT if context is None else context
    if context < 1:
        raise ConfigError(f"context: got {context}, need a positive number of symbols; try {CONTEXT}")
    code_points, indices = np.unique(np.frombuffer(text.encode("utf-32-le"), dtype="<u4"), return_inverse=True)
    tokens = indices.astype(np.int32)
    first_cut = len(tokens) * _TRAIN_PERCENT // 100
    second_cut = len(tokens) * (_TRAIN_PERCENT + _VALIDATION_PERCENT) // 100
    parts = (tokens[:first_cut], tokens[first_cut:second_cut], tokens[second_cut:])
    shortest = min(len(part) for part in parts)
    if shortest <= context:
        raise ConfigError(
            f"{name}: got {len(tokens)} characters, need more than {10 * (context + 1)} for windows of {context}; "
            "try a longer text or a shorter context"
        )
    train, validation, test = (Split(inputs=part[:-1], targets=part[1:]) for part in parts)
    return text_set(
        name,
        train=train,
        validation=validation,
        test=test,
        symbols=[chr(code_point) for code_point in code_points],
        context=context,
        source=f"{source}; characters, split by position 80/10/10",
    )


def load_text(path: Path, *, context: int | None = None) -> DataSet:
    """The data set of one text file in UTF-8.

    Raises:
        ConfigError: it cannot be read as such, or is too short.
    """
    try:
        # Line ends stay as they are in the file: the hash is that of its characters.
        with path.open(encoding="utf-8", newline="") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: got {error}, need a text in UTF-8; try iconv -t utf-8") from error
    return from_text(str(path), text, context=context, source=f"{path.name}, the user's text")
