r"""JSON read within limits: levels, digits, whole characters; broken JSON stays the caller's to word.

A file of megabytes is read at every start, so that the limits are looked at by what is fast on bytes: strings are cut
out, brackets are left, and innermost pairs are taken away, a level a time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from .errors import ConfigError
from .limits import MOST_DIGITS, MOST_LEVELS, TOO_DEEP

_MARKS = bytes.maketrans(b"{}", b"[]")
_NO_MARKS = bytes(set(range(256)) - set(b'[]{}"'))
_DIGITS = bytes.maketrans(b"123456789", b"0" * 9)
_LONG = b"0" * (MOST_DIGITS + 1)
_HALF_A_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")


def parse_json(
    text: str | bytes, *, file: object, pairs: Callable[[list[tuple[str, Any]]], dict[str, Any]] | None = None
) -> Any:
    r"""Plain data of a JSON text.

    Args:
        text: of the file, or its bytes, as UTF-8.
        file: the name that errors give.
        pairs: makes an object of its keys and values; a dictionary that keeps the last of a key when None.

    Raises:
        json.JSONDecodeError: it is no JSON.
        UnicodeDecodeError: bytes are not UTF-8.
        ConfigError: it has too many levels, too long an integer, or half a character.

    >>> parse_json('{"a": [1, "]"]}', file="a.json")
    {'a': [1, ']']}
    >>> parse_json("[" * 65 + "]" * 65, file="a.json")
    Traceback (most recent call last):
    bisparse.configs.errors.ConfigError: a.json: got values nested too deeply, need at most 64 levels
    """
    raw = text.encode() if isinstance(text, str) else text
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig")
    if _too_deep(raw):
        raise ConfigError(f"{file}: {TOO_DEEP}")
    whole = _bounded if _LONG in raw.translate(_DIGITS) else None
    try:
        document = json.loads(text, object_pairs_hook=pairs, parse_int=whole)
    except RecursionError:
        raise ConfigError(f"{file}: {TOO_DEEP}") from None
    except _TooLongError as error:
        raise ConfigError(f"{file}: got an integer of {error} digits, need at most {MOST_DIGITS}") from None
    if _HALF_A_PAIR.search(raw):
        try:
            json.dumps(document, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ConfigError(f"{file}: got half of a surrogate pair in a text, need whole characters") from None
    return document


class _TooLongError(Exception):
    """An integer has too many digits; how many."""


def _bounded(text: str) -> int:
    digits = len(text.lstrip("-"))
    if digits > MOST_DIGITS:
        raise _TooLongError(digits)
    return int(text)


def _too_deep(raw: bytes) -> bool:
    """Whether brackets stand too deep; False of those that do not match, which no parser takes."""
    if b"\\" in raw:
        raw = re.sub(rb"\\.", b"", raw, flags=re.DOTALL)
    marks = raw.translate(_MARKS, _NO_MARKS)
    # Most strings hold no bracket. Whatever stands between two quotes stays there.
    marks = b"".join(marks.replace(b'""', b"").split(b'"')[::2])
    for _ in range(MOST_LEVELS):
        if not marks:
            return False
        left = marks.replace(b"[]", b"")
        if len(left) == len(marks):
            return False
        marks = left
    return bool(marks)
