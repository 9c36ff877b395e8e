"""Rows of one sequence each, for models of ``transformers``: what they would find out by reading the tokens' positions.

A row may be packed with several sequences. ``transformers`` looks for them in the values of the positions, which a
capture without data has none of; in rows of one sequence there is nothing to find.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_PACKAGE, _SEARCH = "transformers.masking_utils", "find_packed_sequence_indices"


@contextmanager
def rows_of_one_sequence() -> Iterator[None]:
    """Inside, no search; nothing where the package is not in use."""
    package = sys.modules.get(_PACKAGE)
    search = getattr(package, _SEARCH, None)
    if package is None or search is None:
        yield
        return
    setattr(package, _SEARCH, _nothing)
    try:
        yield
    finally:
        setattr(package, _SEARCH, search)


def _nothing(position_ids: torch.Tensor) -> None:
    return None
