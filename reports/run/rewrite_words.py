"""What a recipe's rewrites changed, a sentence an entry."""

from __future__ import annotations

from collections.abc import Iterator

from ...sim.results.rewrite_result import RewriteResult
from ...sim.results.simulation_result import SimulationResult
from ..shared.quantities import percent


def rewrite_sentences(result: SimulationResult) -> Iterator[str]:
    """Sentences of a result, in the order of its recipe's entries."""
    name = result.inputs["recipe"].name
    for each in result.rewrites:
        yield f"{name} rewrites {_layers(each)}: {each.title}.{_counts(each, inference=result.inference)}"
        yield from each.says
        if each.left:
            listed = "; ".join(f"{layer}: {why}" for layer, why in list(each.left.items())[:3])
            more = f"; and {len(each.left) - 3} more" if len(each.left) > 3 else ""
            yield f"Of the layers that it names {len(each.left)} stay as they are ({listed}{more})."


def _layers(each: RewriteResult) -> str:
    count = len(each.layers)
    return f"{count} layers" if count != 1 else f"the layer {each.layers[0]}"


def _counts(each: RewriteResult, *, inference: bool) -> str:
    """Multiply-accumulates and weights after it, of those before it; nothing where neither changes."""
    if not each.changes:
        return ""
    said = [f"the forward pass has {_of(each.forward_macs, each.forward_macs_before)} of the multiply-accumulates"]
    if not inference:
        said.append(f"the step {_of(each.step_macs, each.step_macs_before)}")
    said.append(f"the network {_of(each.weights, each.weights_before)} of the weights ({each.weights:,})")
    if not inference and (each.learning_weights, each.learning_weights_before) != (each.weights, each.weights_before):
        said.append(f"{each.learning_weights:,} of them learn")
    sentence = ", ".join(said)
    return f" {sentence[0].upper()}{sentence[1:]}."


def _of(after: int, before: int) -> str:
    return percent(after / before) if before else "none"
