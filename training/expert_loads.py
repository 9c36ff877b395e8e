"""How the rows of data are shared out among experts, where it is not evenly. Free of torch."""

from __future__ import annotations

from ..configs.errors import CaptureError


def parse_expert_loads(text: str) -> tuple[int, ...]:
    """Read ``4,2,1,1``: the load of each expert relative to the others'.

    >>> parse_expert_loads("4,2,1,1")
    (4, 2, 1, 1)

    Raises:
        CaptureError: anything else.
    """
    loads = [each.strip() for each in text.split(",")]
    if not all(each.isdecimal() for each in loads) or not any(int(each) for each in loads):
        raise CaptureError(
            f"--expert-load: got '{text}', need a whole number an expert, one of them at least 1; try 4,2,1,1"
        )
    return tuple(int(each) for each in loads)
