"""What stands beside the answer wherever it is given: what the figures leave out, what they assume of the network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ...sim.results.simulation_result import SimulationResult
from ..shared.quantities import percent, times
from .answer import is_dense, nothing_pruned
from .own_weights import weights_remarks, weights_sentence
from .rewrite_words import rewrite_sentences


def remarks(results: Sequence[SimulationResult]) -> list[str]:
    """A sentence each; those that several runs share stand once."""
    idle = (result for result in results if len(results) > 1 and result.sparsity != "dense" and is_dense(result))
    checkpoints = map(weights_sentence, results) if len(results) > 1 else ()
    sentences = (
        *filter(None, checkpoints),
        *map(nothing_pruned, idle),
        *(sentence for result in results for sentence in _of_one(result)),
    )
    return list(dict.fromkeys(sentences))


def _of_one(result: SimulationResult) -> Iterator[str]:
    if result.uncounted:
        yield uncounted_sentence(result)
    apart = result.trained_apart
    if apart is not None:
        few = ", ".join(apart.parameters[:3]) + (f" and {more} more" if (more := len(apart.parameters) - 3) > 0 else "")
        yield (
            f"Training by bisparse.apply leaves some of these weights dense ({few}): pruned where it prunes, the FLOP "
            f"bound is {times(apart.flop_bound_speedup)}."
        )
    yield from rewrite_sentences(result)
    if result.own_zeros is not None:
        yield from weights_remarks(result.own_zeros)
    yield from result.notes


def uncounted_sentence(result: SimulationResult) -> str:
    """Operators that may multiply and are in no count, with the share of the step that their pass is priced at."""
    cycles = sum(row.cycles for row in result.rows if row.name in result.uncounted)
    share = percent(cycles / result.total_cycles)
    names = Counter(result.uncounted.values())
    listed = ", ".join(f"{name} ({count})" if count > 1 else name for name, count in names.most_common(5))
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return (
        f"Warning: not counted is what {listed}{more} may multiply: priced as one pass over the elements, {share} of "
        "the step's time; every bound and speedup leaves it out."
    )
