"""The shape of one input of a network, without the batch. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass

from ..configs.errors import CaptureError


@dataclass(frozen=True, slots=True)
class InputShape:
    """Extents of one sample; ``integer`` marks token indices.

    >>> print(InputShape((3, 224, 224)), InputShape((512,), integer=True))
    3x224x224 512:int
    """

    extents: tuple[int, ...]
    integer: bool = False

    def __str__(self) -> str:
        return "x".join(str(extent) for extent in self.extents) + (":int" if self.integer else "")


def parse_input_shape(text: str) -> InputShape:
    """Read ``3x224x224``, or ``512:int`` for token indices; one input of the command line.

    >>> parse_input_shape("512:int")
    InputShape(extents=(512,), integer=True)

    Raises:
        CaptureError: anything else.
    """
    extents_text, colon, kind = text.strip().partition(":")
    extents = extents_text.split("x")
    if (colon and kind != "int") or not all(extent.isdecimal() and int(extent) > 0 for extent in extents):
        raise CaptureError(
            f"--input: got '{text}', need positive extents of one sample without the batch; "
            "try 3x224x224, or 512:int for token indices"
        )
    return InputShape(tuple(int(extent) for extent in extents), integer=bool(colon))
