"""The N:M reduction engine in SystemVerilog: what its lanes keep of streams, and how long that takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ....configs.arrays import IntArray
from ....configs.pattern import Pattern
from .icarus import simulate, top_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Vectors to reduce on an engine of their own.

    Attributes:
        values: [vectors, length] in float16 or float32; groups run along a vector, the last perhaps short.
        pattern: N:M.
        lanes: sorters side by side; a group goes to the next of them.
    """

    values: npt.NDArray[Any]
    pattern: Pattern
    lanes: int

    @property
    def bits(self) -> int:
        """Of an element."""
        return int(8 * self.values.dtype.itemsize)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """What an engine kept.

    Attributes:
        values: [vectors, kept], in the order of the vector.
        indices: [vectors, kept] where each stood in its group.
        cycles: until the last element was taken.
    """

    values: npt.NDArray[Any]
    indices: IntArray
    cycles: int


def sort(streams: Sequence[Stream]) -> list[Sorted]:
    """Reduce streams, each on an engine, in one simulation.

    Raises:
        ConfigError: there is no Icarus Verilog.
    """
    files: dict[str, str] = {}
    benches: dict[str, dict[str, int | str]] = {}
    for number, stream in enumerate(streams):
        name, words = f"sorter{number}", _words(stream)
        files[f"{name}_stream.hex"] = "\n".join(words) + "\n"
        benches[name] = {
            "NAME": name,
            "POSITIONS": len(words),
            "LANES": stream.lanes,
            "WIDTH": stream.bits,
            "GROUP": stream.pattern.group,
            "KEPT": stream.pattern.kept,
        }
    said: dict[str, list[list[str]]] = {name: [] for name in benches}
    for line in simulate("sorter_bench.sv", top_of("sorter_bench", benches), files):
        name, *rest = line.split()
        said[name].append(rest)
    return [_sorted(stream, said[name]) for stream, name in zip(streams, benches, strict=True)]


def _words(stream: Stream) -> list[str]:
    """What all lanes take, position after position: the element's bits under a bit that says that there is one."""
    vectors, length = stream.values.shape
    size, groups = stream.pattern.group, stream.pattern.groups_of(length)
    bits = stream.values.view(np.dtype(f"u{stream.values.dtype.itemsize}")).astype(np.int64)
    marked = np.zeros((vectors, groups * size), dtype=np.int64)
    marked[:, :length] = bits | 1 << stream.bits
    every = marked.reshape(-1, size)
    turns = -(-len(every) // stream.lanes)
    by_turn = np.zeros((turns * stream.lanes, size), dtype=np.int64)
    by_turn[: len(every)] = every
    words = []
    for word in by_turn.reshape(turns, stream.lanes, size).transpose(0, 2, 1)[..., ::-1].reshape(-1, stream.lanes):
        number = 0
        for entry in word.tolist():
            number = number << stream.bits + 1 | entry
        words.append(f"{number:x}")
    return words


def _sorted(stream: Stream, said: Sequence[Sequence[str]]) -> Sorted:
    """What left the lanes, put together: a group keeps as many as the pattern says, and lanes keep their order."""
    (cycles,) = [int(cycle) for kind, cycle, *_ in said if kind == "d"]
    by_lane: list[list[tuple[int, int]]] = [[] for _ in range(stream.lanes)]
    for kind, *numbers in said:
        if kind == "k":
            lane, index, value = map(int, numbers)
            by_lane[lane].append((index, value))
    vectors, length = stream.values.shape
    groups = stream.pattern.groups_of(length)
    of_short = stream.pattern.kept_of(length) - (groups - 1) * stream.pattern.kept
    left = [iter(entries) for entries in by_lane]
    found = []
    for group in range(vectors * groups):
        kept = of_short if group % groups == groups - 1 else stream.pattern.kept
        found += [next(left[group % stream.lanes]) for _ in range(kept)]
    indices, bits = np.array(found, dtype=np.int64).T
    unsigned = np.dtype(f"u{stream.values.dtype.itemsize}")
    values = bits.astype(unsigned).view(stream.values.dtype)
    return Sorted(values=values.reshape(vectors, -1), indices=indices.reshape(vectors, -1), cycles=cycles)
