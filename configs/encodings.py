"""How the kept part of an irregular operand is told from its zeros in memory: what lies beside the kept values.

Elements are kept or zero in blocks, alone where a block is one element. In the order of a stream:

- ``bitmap``: a bit a block;
- ``run-length``: before each kept block the zero blocks since the last, in as many bits as make the stream shortest; a
  longer run than these bits count has a block of zeros stored among the kept ones;
- ``rows``: compressed rows of 256 blocks each: how many are kept of a row, and of each its place in it;
- ``index``: the place of each kept block in the operand, 32 bits;
- ``least``: the one of these that takes fewest bits.

Where the zeros are random the length of runs is an expectation: each block is kept independently.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

Encoding = Literal["bitmap", "run-length", "rows", "index", "least"]
"""The names of encodings."""

ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)

PARTS = 1_000_000
"""``Metadata.padding`` counts in these."""

_ROW_BLOCKS, _ROW_INDEX_BITS, _ROW_COUNT_BITS = 256, 8, 9
_PLACE_BITS = 32
_LONGEST_RUN_BITS = 16


class Metadata(NamedTuple):
    """What lies in memory beside the kept values of an operand.

    Attributes:
        index_bits: beside each kept block.
        block: elements of a block, kept or zero together.
        padding: blocks of zeros stored among the kept ones, millionths a kept block.
        span: elements that share bits of their own, kept or not; 0 where none do.
        span_bits: so many.
    """

    index_bits: int = 0
    block: int = 1
    padding: int = 0
    span: int = 0
    span_bits: int = 0


def metadata_of(encoding: Encoding, density: float, block: int, value_bits: int) -> Metadata:
    """What an encoding stores beside values.

    Args:
        encoding: its name.
        density: probability that a block is kept.
        block: elements of a block.
        value_bits: of a value: what is least depends on it.

    >>> metadata_of("bitmap", 0.2, 1, 16)
    Metadata(index_bits=0, block=1, padding=0, span=1, span_bits=1)
    >>> metadata_of("run-length", 0.05, 1, 16)  # one in 26 is a zero that a run of 64 needs
    Metadata(index_bits=6, block=1, padding=38987, span=0, span_bits=0)
    """
    match encoding:
        case "bitmap":
            return Metadata(block=block, span=block, span_bits=1)
        case "rows":
            return Metadata(
                index_bits=_ROW_INDEX_BITS, block=block, span=_ROW_BLOCKS * block, span_bits=_ROW_COUNT_BITS
            )
        case "index":
            return Metadata(index_bits=_PLACE_BITS, block=block)
        case "run-length":
            runs = (_runs(bits, density, block) for bits in range(1, _LONGEST_RUN_BITS + 1))
            return min(runs, key=lambda each: _bits_a_block(each, density, value_bits))
    every = (metadata_of(each, density, block, value_bits) for each in ENCODINGS if each != "least")
    return min(every, key=lambda each: _bits_a_block(each, density, value_bits))


def _runs(bits: int, density: float, block: int) -> Metadata:
    """Runs of so many bits: of the zeros before a kept block, whole runs of two to that power are padded."""
    longer = (1 - density) ** (1 << bits)
    return Metadata(index_bits=bits, block=block, padding=round(PARTS * longer / (1 - longer)))


def _bits_a_block(stored: Metadata, density: float, value_bits: int) -> float:
    """Bits that a stream takes a block, kept or not."""
    entry = stored.block * value_bits + stored.index_bits
    beside = stored.span_bits * stored.block / stored.span if stored.span else 0.0
    return density * (1 + stored.padding / PARTS) * entry + beside
