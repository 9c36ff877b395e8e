"""The errors that a user can cause, under one base.

Every message reads ``where: got X, need Y; try Z`` and fits one line, so that the command line can print it as it is
and leave with exit code 2. A traceback is for our own mistakes only.
"""

from __future__ import annotations


class BisparseError(Exception):
    """Base of every error that a user's input can cause.

    Attributes:
        field: the field of a file that is at fault, dotted, or None; whoever knows the file adds its line
            (``configs.schema.Loaded.placed``).
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class ConfigError(BisparseError):
    """A file, a field or an option is wrong. The message names the file, the line and the field."""


class CaptureError(BisparseError):
    """A torch module could not be turned into a training graph."""


class MappingError(BisparseError):
    """No legal mapping exists for a product on this hardware; the message says which limit stands in the way."""


class TrainingError(BisparseError):
    """A training run cannot go on: its loss is no number. What was saved before stays."""
