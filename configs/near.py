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


def _plain(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalnum())
