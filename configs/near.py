"""The name that somebody meant: one that begins with what was said, or holds it, before one that is merely alike."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name that a word comes nearest to; None where none is near.

    >>> nearest("resnet18", ["resnet9-cifar10", "resnet18-tinyimagenet"])
    'resnet18-tinyimagenet'
    >>> nearest("gpt-2", ["gpt2-small", "bert-base"]), nearest("zebra", ["bert-base"])
    ('gpt2-small', None)
    """
    plain = {name: _plain(name) for name in sorted(known)}
    said = _plain(word)
    for holds in (str.startswith, str.__contains__):
        held = [name for name, of in plain.items() if said and holds(of, said)]
        if held:
            return min(held, key=len)
    alike = difflib.get_close_matches(said, plain.values(), n=1)
    return next((name for name, of in plain.items() if of in alike), None)


def near(word: str, known: Iterable[str]) -> str:
    """The end of a message that names the known word nearest to one, or nothing.

    >>> near("hardware.tensor_engine.row", ["hardware.tensor_engine.rows"])
    '; try hardware.tensor_engine.rows'
    """
    offered = sorted(set(known) - {word})
    close = difflib.get_close_matches(word, offered, n=1, cutoff=0.75)
    # A last part alone ("rows", "capacity_bytes") often says which field is meant.
    close = close or [name for name in offered if name.endswith(f".{word.rpartition('.')[2]}")]
    close = close or difflib.get_close_matches(word, offered, n=1)
    return f"; try {close[0]}" if close else ""


def _plain(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalnum())
