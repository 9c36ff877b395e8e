"""Rows of one sequence each, for models of ``transformers``: what they would find out by reading the tokens' positions.

A row may be packed with several sequences. ``transformers`` looks for them in the values of the positions, which a
capture without data has none of; in rows of one sequence there is nothing to find.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch

_PACKAGE, _SEARCH = "transformers.masking_utils", "find_packed_sequence_indices"

_replaced: list[Callable[..., Any]] = []


def without_packed_rows(module: torch.nn.Module, placed: Any) -> None:
    """Before a forward pass: no search."""
    package = sys.modules.get(_PACKAGE)
    if package is not None and hasattr(package, _SEARCH):
        _replaced.append(getattr(package, _SEARCH))
        setattr(package, _SEARCH, _nothing)


def with_packed_rows(module: torch.nn.Module, placed: Any, output: Any) -> None:
    """After it: as it was."""
    if _replaced:
        setattr(sys.modules[_PACKAGE], _SEARCH, _replaced.pop())


def _nothing(position_ids: torch.Tensor) -> None:
    return None
