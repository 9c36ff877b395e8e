"""GPTs of several widths, as factories for ``--model examples/accuracy/sized_gpt.py:width_256`` and the like.

As ``--model gpt``: every weight starts with a deviation of 0.02 * (768 / width)^0.5, GPT-2's, scaled so that a product
keeps its size at each width.
"""

from __future__ import annotations

from functools import partial

from bisparse.training.models.gpt2 import Gpt2, start_small


def sized(width: int, depth: int, *, classes: int, sample_shape: tuple[int, ...]) -> Gpt2:
    """A GPT with heads of 16 channels at width 64, of 64 from 256 on.

    Args:
        width: of the residual stream.
        depth: blocks.
        classes: symbols of the text.
        sample_shape: of a window, (symbols,).
    """
    gpt = Gpt2(
        vocabulary=classes, longest=sample_shape[0], width=width, depth=depth, heads=max(4, width // 64), dropout=0.0
    )
    return start_small(gpt, width)


width_32 = partial(sized, 32, 2)
width_64 = partial(sized, 64, 2)
width_128 = partial(sized, 128, 4)
width_256 = partial(sized, 256, 4)
width_512 = partial(sized, 512, 4)
