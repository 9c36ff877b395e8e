"""The answer that every report opens with: what the recipe buys against dense training, in words and in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ...sim.results.simulation_result import SimulationResult
from ..shared.against_dense import EVEN, energy_words, speed_words
from ..shared.quantities import joules, percent, seconds, times
from ..shared.subject import hardware_name, label, subject, workload_name
from .answer_range import range_sentence
from .own_weights import weights_sentence
from .pass_words import details, done_to, step_name, step_words
from .shares import dynamic_energy_ratio, static_share, static_status
from .verdict import bound_words


def is_dense(result: SimulationResult) -> bool:
    """Whether the run is the dense baseline itself: no product is pruned, no layer rewritten."""
    return not result.rewrites and all(row.sparsity == "dense" for row in result.rows)


def labels(results: Sequence[SimulationResult]) -> list[str]:
    """A short name for each run, all different: what the runs do not share is added."""
    found = [label(result) for result in results]
    for extra in (hardware_name, workload_name, lambda result: f"batch {result.batch}", step_words):
        if len({extra(result) for result in results}) > 1:
            found = [f"{name}, {extra(result)}" for name, result in zip(found, results, strict=True)]
    counts = Counter(found)
    return [f"{name} (run {i})" if counts[name] > 1 else name for i, name in enumerate(found, start=1)]


def fastest(results: Sequence[SimulationResult]) -> int:
    """The position of the run with the largest speedup of the whole step."""
    return max(range(len(results)), key=lambda position: results[position].speedup_vs_dense)


def dense_among(result: SimulationResult, results: Sequence[SimulationResult]) -> SimulationResult | None:
    """The run among ``results`` that is the dense baseline of ``result``: the same step on the same hardware."""
    for other in results:
        same_inputs = all(other.inputs[name].sha256 == result.inputs[name].sha256 for name in ("hardware", "workload"))
        same_step = step_words(other) == step_words(result) and other.batch == result.batch
        if is_dense(other) and same_inputs and same_step and other.engine == result.engine:
            return other
    return None


def answer(result: SimulationResult) -> str:
    """The answer in two or three sentences: both scopes, time and energy, and the bound that the arithmetic sets.

    Of a checkpoint before all what it is.
    """
    return f"{_spaced(weights_sentence(result))}{_answer(result)}"


def _answer(result: SimulationResult) -> str:
    step, gemm = result.by_scope["step"], result.by_scope["gemm"]
    what, does, of = step_name(result), done_to(result), f"{subject(result)}{details(result)}"
    if is_dense(result) and result.sparsity != "dense":
        return (
            f"{nothing_pruned(result)} Its step is the dense one, and takes {seconds(result.step_seconds)} at batch "
            f"{result.batch}{details(result)}."
        )
    if is_dense(result):
        return f"A dense {what} of {of} takes {seconds(result.step_seconds)}. This is the baseline: nothing is pruned."
    last_phase = "In its last phase " if result.changes_over_time else ""
    return (
        f"{last_phase}{label(result)} {does} {of} {speed_words(step.speedup_vs_dense)}, "
        f"at {energy_words(step.energy_ratio_vs_dense)}, counting the whole step. "
        f"{_spaced(range_sentence(result))}"
        f"{static_sentence(result)}"
        f"The matrix products alone run {speed_words(gemm.speedup_vs_dense)}, "
        f"at {energy_words(gemm.energy_ratio_vs_dense)}. "
        f"{bound_sentence(result)} {_spaced(unskipped_sentence(result))}{bound_words(result)}"
    )


def unskipped_sentence(result: SimulationResult) -> str:
    """That zeros of pruned products take time on the array, and why; nothing where all are skipped.

    They may save traffic: what is stored without them is loaded faster.
    """
    pruned = [row for row in result.rows if row.engine == "tensor" and row.sparsity != "dense"]
    reasons = Counter(row.dense_reason for row in pruned if row.dense_reason)
    if not reasons:
        return ""
    why = "; ".join(f"{reason} ({count})" if len(reasons) > 1 else reason for reason, count in reasons.most_common(3))
    if reasons.total() == len(pruned):
        return f"Its zeros save no time on the array: {why}."
    return f"In {reasons.total()} of {len(pruned)} pruned products zeros save no time on the array: {why}."


def _spaced(sentence: str) -> str:
    """A sentence before others; nothing where there is none."""
    return sentence and f"{sentence} "


def nothing_pruned(result: SimulationResult) -> str:
    """That a recipe found nothing to prune, and why."""
    reasons = Counter(row.dense_reason for row in result.rows if row.dense_reason)
    why = "; ".join(f"{reason} ({count} product{'s' * (count > 1)})" for reason, count in reasons.most_common(4))
    more = f"; {len(reasons) - 4} other reasons" if len(reasons) > 4 else ""
    return (
        f"Nothing could be pruned: {label(result)} leaves every product of {workload_name(result)} on "
        f"{hardware_name(result)} dense ({why or 'none has a weight'}{more})."
    )


def static_sentence(result: SimulationResult) -> str:
    """What part of the energy is static power, and the ratio without it; nothing where there is none."""
    share, ratio = static_share(result), dynamic_energy_ratio(result)
    if share <= EVEN or ratio is None:
        return ""
    status = static_status(result)
    known = f" ({status})" if status else ""
    return f"Static power{known} is {percent(share)} of this step's energy; without it the ratio is {times(ratio)}. "


def bound_sentence(result: SimulationResult) -> str:
    """How the step's speedup stands to the FLOP bound."""
    bound = result.flop_bound_speedup
    what = "The recipe" if result.rewrites else "The pruning"
    sentence = f"{what} leaves {percent(1 / bound)} of the multiply-accumulates, a FLOP bound of {times(bound)}"
    if bound <= 1 and result.rewrites:
        return f"{sentence}."
    if result.speedup_vs_dense > bound:
        why = "its traffic and waits shrink by more than its arithmetic"
        if skips_streamed(result):
            why = "zeros of activations and gradients are skipped besides"
        return f"{sentence}; the step gains more, because {why}."
    reached = (result.speedup_vs_dense - 1) / (bound - 1) if bound - 1 > EVEN else None
    if reached is None or reached < 0:
        return f"{sentence}."
    return f"{sentence}; the step gets {percent(reached)} of the gain that the bound allows."


def skips_streamed(result: SimulationResult) -> bool:
    """Whether zeros that nothing pruned, of what streams past the weights, are skipped in some product."""
    rows = (row for row in result.rows if row.engine == "tensor" and row.issued_macs < row.useful_macs)
    return any("input" in row.pruned_operand or (row.stage == "WU" and row.sparsity != "dense") for row in rows)


def are_alike(results: Sequence[SimulationResult]) -> bool:
    """Whether the steps of all runs are of as many samples on the same hardware, so that their times compare."""
    return len({(result.batch, result.inputs["hardware"].sha256) for result in results}) == 1


def sample_seconds(result: SimulationResult) -> float:
    """Time of a step by the sample."""
    return result.step_seconds / result.batch


def comparison(results: Sequence[SimulationResult]) -> str:
    """The answer for several runs: which is fastest, which saves most energy."""
    names = labels(results)
    if not are_alike(results):
        return _across(names, results)
    best = fastest(results)
    thrifty = min(range(len(results)), key=lambda position: results[position].energy_ratio_vs_dense)
    shared = len({(subject(result), step_words(result)) for result in results}) == 1
    place = f" for {subject(results[0])}{details(results[0])}" if shared else ""
    if results[best].speedup_vs_dense <= 1 + EVEN:
        what = _kind(results)
        return f"None of the {len(results)} runs is faster than dense {what}{place}."
    first = (
        f"{names[best]}{in_last_phase(results[best])} is the fastest of {len(results)} runs{place}: "
        f"{speed_words(results[best].speedup_vs_dense)} over the whole step, at "
        f"{energy_words(results[best].energy_ratio_vs_dense)}. {static_sentence(results[best])}"
    ).rstrip()
    # Ratios that read the same are not told apart.
    if times(results[thrifty].energy_ratio_vs_dense) == times(results[best].energy_ratio_vs_dense):
        saves = "No other run saves more energy."
    else:
        words = energy_words(results[thrifty].energy_ratio_vs_dense)
        saves = f"{names[thrifty]}{in_last_phase(results[thrifty])} saves the most energy: {words}."
    return f"{first} {saves}{_over_a_run(names, results)}"


def in_last_phase(result: SimulationResult) -> str:
    """Which of a run's steps a result's is, in words, where they differ."""
    return " in its last phase" if result.changes_over_time else ""


def _over_a_run(names: Sequence[str], results: Sequence[SimulationResult]) -> str:
    """Which is fastest over a whole training run; empty where any of them was not asked for its own."""
    runs = [result.training for result in results if result.training is not None]
    if len(runs) < len(results):
        return ""
    best = max(range(len(runs)), key=lambda position: runs[position].speedup_vs_dense)
    if runs[best].speedup_vs_dense <= 1 + EVEN:
        return " Over a whole training run none is faster than dense."
    return (
        f" Over a whole training run {names[best]} is the fastest: {speed_words(runs[best].speedup_vs_dense)}, at "
        f"{energy_words(runs[best].energy_ratio_vs_dense)}."
    )


def _kind(results: Sequence[SimulationResult]) -> str:
    """What the runs are of, in a word."""
    if not all(result.inference for result in results):
        return "training"
    return "decoding" if all(result.passes is not None for result in results) else "inference"


def _across(names: Sequence[str], results: Sequence[SimulationResult]) -> str:
    """The answer for runs on several designs or of several batches: by the sample, then each against its own dense."""
    positions = range(len(results))
    quickest = min(positions, key=lambda position: sample_seconds(results[position]))
    thrifty = min(positions, key=lambda position: results[position].energy_joules / results[position].batch)
    best = fastest(results)
    quick = f"{names[quickest]} takes the least time a sample, {seconds(sample_seconds(results[quickest]))}"
    least = f"{joules(results[thrifty].energy_joules / results[thrifty].batch)}"
    also = f"the least energy, {least}" if thrifty == quickest else f"{names[thrifty]} the least energy, {least}"
    gains = (
        f" Against dense on the same hardware and batch {names[best]} gains most: "
        f"{speed_words(results[best].speedup_vs_dense)}, at {energy_words(results[best].energy_ratio_vs_dense)}."
        if results[best].speedup_vs_dense > 1 + EVEN
        else ""
    )
    of = details(results[0]) if len({step_words(result) for result in results}) == 1 else ""
    return f"Of {len(results)} runs{of} {quick}; and {also}.{gains}"
