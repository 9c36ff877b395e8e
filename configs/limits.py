"""How large a document may be: past any file that means something, far below what fills a machine or its stack.

One set for YAML and for JSON, so that what is told of a file does not depend on how it was written.
"""

from __future__ import annotations

MOST_LEVELS = 64
"""Lists and mappings within each other; what this package writes has a dozen."""

MOST_DIGITS = 30
"""Digits of an integer. Python reads no more than some thousand, and takes its time with them."""

MOST_VALUES = 1_000_000
"""Values of a YAML document. Aliases expand, so a few lines could otherwise fill the memory."""

MOST_CHARACTERS = 64 * 2**20
"""Characters of all texts of a YAML document, those behind an alias counted as often as they stand."""

MOST_BASES = 32
"""Files that extend each other."""

TOO_DEEP = f"got values nested too deeply, need at most {MOST_LEVELS} levels"
"""What is said of a document with more levels."""
