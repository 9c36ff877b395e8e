"""What is wrong with a graph's document, and where in it."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import Any, NoReturn


class GraphFormatError(Exception):
    """What is wrong with a document, and where in it; the caller knows the file and can find the line."""

    def __init__(self, where: str, complaint: str) -> None:
        super().__init__(f"{where}: {complaint}")
        self.where = where
        self.complaint = complaint


def refuse(where: str, got: Any, need: str, remedy: str = "bisparse capture again") -> NoReturn:
    """Refuse a value.

    Raises:
        GraphFormatError: always.
    """
    shown = repr(got) if isinstance(got, str) and " " not in got else str(got)
    if got is None:
        shown = "nothing"
    if len(shown) > 60:
        shown = f"{shown[:57]}..."
    raise GraphFormatError(where, f"got {shown}, need {need}; try {remedy}")


def refuse_word(where: str, got: str, need: str, known: Collection[str]) -> NoReturn:
    """Refuse a word that is none of the known ones, with the nearest as the remedy.

    Raises:
        GraphFormatError: always.
    """
    near = difflib.get_close_matches(got, sorted(known), n=1)
    refuse(where, got, need, near[0] if near else "bisparse capture again")
