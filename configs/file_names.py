"""Names of files and folders made of texts that come from elsewhere: a recipe's name, a key out of a store."""

from __future__ import annotations

import re
from hashlib import sha256

LONGEST = 80
"""Letters of such a name: with what is put before and behind it, far from the 255 bytes that file systems take."""

_HASHED = 10


def file_name(text: str) -> str:
    """A text as the name of a file: itself where it is one already, else its letters, digits and a hash.

    The result never leaves its folder, is no hidden file, and differs for texts that differ.

    >>> file_name("0f3a9c")
    '0f3a9c'
    >>> file_name("../../etc/passwd")
    'etc-passwd-3754d6cb3a'
    """
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*", text) and len(text) <= LONGEST and not text.endswith("."):
        return text
    letters = re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-")
    digest = sha256(text.encode(errors="surrogatepass")).hexdigest()[:_HASHED]
    return f"{letters[: LONGEST - _HASHED - 1].rstrip('-')}-{digest}".lstrip("-")


def shortened(name: str) -> str:
    """A file's name with a hash in the place of what is too long of it.

    >>> shortened("bdwp-2-8")
    'bdwp-2-8'
    >>> len(shortened("1" * 300))
    80
    """
    return name if len(name.encode(errors="surrogatepass")) <= LONGEST else file_name(name)
