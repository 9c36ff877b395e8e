"""What the step takes of the card's memory, in words and as a table. Nothing is said of a result that does not know."""

from __future__ import annotations

from collections.abc import Sequence

from ...sim.results.memory_results import Memory
from ...sim.results.simulation_result import SimulationResult
from ..shared.quantities import byte_count, percent
from ..shared.table import Cell, Table, figure
from .answer import labels

_CATEGORY_WORDS = {
    "master_weights": "FP32 master weights",
    "optimizer_state": "optimizer state",
    "weight_copies": "weights for FF and BP",
    "masks": "masks",
    "buffers": "running statistics",
    "kv_cache": "keys and values in the cache",
    "inputs": "data and labels",
    "activations": "activations",
    "gradients": "gradients",
    "weight_gradients": "weight gradients",
}
"""Categories of memory as people read them, those that last across steps first."""

_WORDS_OF_INFERENCE = {"weight_copies": "weights", "inputs": "data"}


def category_words(result: SimulationResult) -> dict[str, str]:
    """The categories of a run, in words."""
    return _CATEGORY_WORDS | _WORDS_OF_INFERENCE if result.inference else _CATEGORY_WORDS


def was_wider(result: SimulationResult) -> bool:
    """Whether a step is of the last phase of a run whose network may be another in phases before it."""
    return result.changes_over_time and bool(result.rewrites)


def memory_sentence(memory: Memory, name: str = "", *, narrowed: bool = False) -> str:
    """The peak, beside what the card has; of a run by name where it is one of several that differ.

    Args:
        memory: of a step.
        name: of the run.
        narrowed: as ``was_wider`` has it.
    """
    of_run = f"{f' ({name})' if name else ''}{', in the last phase' if narrowed else ''}"
    peak = f"Memory at its peak{of_run}: {byte_count(memory.peak_bytes)} of {byte_count(memory.capacity_bytes)}"
    at = f", at {memory.peak_operator}" if memory.peak_operator else ""
    # A warning says the rest of a step that does not fit.
    return f"{peak}{at}{largest_batch(memory)}." if memory.fits else f"{peak}{at}."


def largest_batch(memory: Memory) -> str:
    """The largest batch that fits, as the end of a sentence; nothing of a network that is known at one batch alone."""
    if memory.largest_batch is None:
        return ""
    return f"; the largest batch that fits is {memory.largest_batch:,}" if memory.largest_batch else "; no batch fits"


def memory_warning(memory: Memory) -> str | None:
    """What to say of a step that the card cannot hold; nothing of one that it can."""
    if memory.fits:
        return None
    needed, has = byte_count(memory.peak_bytes), byte_count(memory.capacity_bytes)
    if needed == has:
        needed, has = f"{memory.peak_bytes:,} B", f"{memory.capacity_bytes:,} B"
    return f"does not fit: needs {needed} of {has}{largest_batch(memory)}"


def memory_lines(results: Sequence[SimulationResult]) -> list[str]:
    """A sentence for one run; of several, for that which fills its card most. A warning for each that does not fit."""
    known = [(name, result.memory) for name, result in zip(labels(results), results, strict=True) if result.memory]
    if not known:
        return []
    fullest, memory = max(known, key=lambda item: item[1].peak_bytes / item[1].capacity_bytes)
    differ = len({(each.peak_bytes, each.capacity_bytes) for _, each in known}) > 1
    narrowed = any(each.memory is memory and was_wider(each) for each in results)
    lines = [memory_sentence(memory, fullest if differ else "", narrowed=narrowed)]
    for name, memory in known:
        warning = memory_warning(memory)
        if warning:
            lines.append(f"Warning: {name if len(results) > 1 else 'the step'} {warning}.")
    return lines


def memory_table(result: SimulationResult) -> Table | None:
    """The peak by category, beside the card's capacity; and what stays on chip."""
    memory = result.memory
    if memory is None:
        return None
    rows = [
        (Cell(words), figure(memory.by_category[key], byte_count), Cell(percent(_share(memory, key))))
        for key, words in category_words(result).items()
        if memory.by_category.get(key)
    ]
    rows.append((Cell("total"), figure(memory.peak_bytes, byte_count), Cell("100%" if memory.peak_bytes else "–")))
    return Table(headings=("memory at its peak", "bytes", "share"), rows=tuple(rows), total=True)


def on_chip_sentence(result: SimulationResult) -> str:
    """What stays on chip between works, in words."""
    kept = result.on_chip
    if kept is None or not kept.tensors:
        return "Nothing stays on chip between operators."
    whole = result.dram_read_bytes + result.dram_write_bytes + kept.saved_bytes
    return (
        f"{kept.tensors:,} tensor{'s stay' if kept.tensors > 1 else ' stays'} on chip until their last use, "
        f"which saves {byte_count(kept.saved_bytes)} of DRAM traffic ({percent(kept.saved_bytes / whole)})."
    ).replace("stays on chip until their", "stays on chip until its")


def _share(memory: Memory, key: str) -> float:
    return memory.by_category[key] / memory.peak_bytes if memory.peak_bytes else 0.0
