"""Real encoders of sparse operands: a mask and its values to bits, and back. Nothing here knows a closed form."""

import numpy as np


def bits_of(number, width):
    """A number in so many bits, the highest first."""
    return [int(each) for each in np.binary_repr(number, width)] if width else []


class Reader:
    """Bits read one field after another."""

    def __init__(self, bits):
        self.bits, self.at = bits, 0

    def take(self, width):
        found = int("".join(map(str, self.bits[self.at : self.at + width])) or "0", 2)
        self.at += width
        return found

    @property
    def done(self):
        return self.at >= len(self.bits)


def as_bitmap(blocks, value_bits):
    """[blocks, elements] to a bit a block, then the values of the kept ones."""
    bits = [int(each.any()) for each in blocks]
    for block in blocks[blocks.any(axis=1)]:
        for value in block:
            bits += bits_of(value, value_bits)
    return bits


def from_bitmap(bits, shape, value_bits):
    reader, found = Reader(bits), np.zeros(shape, dtype=int)
    kept = [reader.take(1) for _ in range(shape[0])]
    for at in np.flatnonzero(kept):
        found[at] = [reader.take(value_bits) for _ in range(shape[1])]
    return found


def as_runs(blocks, value_bits, run_bits):
    """Before each kept block the zero blocks since the last; a block of zeros is stored where a run goes on longer."""
    bits, run = [], 0
    for block in blocks[: last_kept(blocks) + 1]:
        if block.any() or run == (1 << run_bits) - 1:
            bits += bits_of(run, run_bits)
            for value in block:
                bits += bits_of(value, value_bits)
            run = 0
        else:
            run += 1
    return bits


def from_runs(bits, shape, value_bits, run_bits):
    reader, found, at = Reader(bits), np.zeros(shape, dtype=int), 0
    while not reader.done:
        at += reader.take(run_bits)
        found[at] = [reader.take(value_bits) for _ in range(shape[1])]
        at += 1
    return found


def as_rows(blocks, value_bits, row, index_bits, count_bits):
    """How many are kept of each row of blocks, then the place of each in it with its values."""
    bits = []
    for start in range(0, len(blocks), row):
        kept = np.flatnonzero(blocks[start : start + row].any(axis=1))
        bits += bits_of(len(kept), count_bits)
        for place in kept:
            bits += bits_of(place, index_bits)
            for value in blocks[start + place]:
                bits += bits_of(value, value_bits)
    return bits


def from_rows(bits, shape, value_bits, row, index_bits, count_bits):
    reader, found = Reader(bits), np.zeros(shape, dtype=int)
    for start in range(0, shape[0], row):
        for _ in range(reader.take(count_bits)):
            at = start + reader.take(index_bits)
            found[at] = [reader.take(value_bits) for _ in range(shape[1])]
    return found


def as_places(blocks, value_bits, index_bits):
    """The place of each kept block with its values."""
    bits = []
    for place in np.flatnonzero(blocks.any(axis=1)):
        bits += bits_of(place, index_bits)
        for value in blocks[place]:
            bits += bits_of(value, value_bits)
    return bits


def from_places(bits, shape, value_bits, index_bits):
    reader, found = Reader(bits), np.zeros(shape, dtype=int)
    while not reader.done:
        at = reader.take(index_bits)
        found[at] = [reader.take(value_bits) for _ in range(shape[1])]
    return found


def as_pairs(lanes, value_bits, kept, group):
    """[lanes, k] of N:M: each kept value with its place in its group; zeros fill groups that keep fewer."""
    index_bits, bits = (group - 1).bit_length(), []
    for lane in lanes:
        for start in range(0, len(lane), group):
            part = lane[start : start + group]
            wanted = min(kept, len(part))
            places = np.sort(np.argsort(part == 0, kind="stable")[:wanted])
            for place in places:
                bits += bits_of(part[place], value_bits) + bits_of(place, index_bits)
    return bits


def from_pairs(bits, shape, value_bits, kept, group):
    index_bits, reader, found = (group - 1).bit_length(), Reader(bits), np.zeros(shape, dtype=int)
    for lane in range(shape[0]):
        for start in range(0, shape[1], group):
            for _ in range(min(kept, shape[1] - start, group)):
                value, place = reader.take(value_bits), reader.take(index_bits)
                found[lane, start + place] = value
    return found


def last_kept(blocks):
    kept = np.flatnonzero(blocks.any(axis=1))
    return kept[-1] if len(kept) else -1


def in_blocks(matrix, rows, cols):
    """[outputs, inputs] to [blocks, elements], blocks row by row."""
    outputs, inputs = matrix.shape
    tiles = matrix.reshape(outputs // rows, rows, inputs // cols, cols)
    return tiles.transpose(0, 2, 1, 3).reshape(-1, rows * cols)
