"""What was found of a checkpoint's zeros, and what the design makes of them: plain data of a result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...dataflow.schedule import Schedule
from ...training.graph import Stage
from ...training.own_weights.fitting import FittedWeights
from ...training.own_weights.found_zeros import FoundZeros


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightZeros:
    """The zeros of one weight.

    Attributes:
        parameter: its name in the graph.
        module: that multiplies by it.
        elements: of it.
        zeros: of them.
        found: what the zeros are: ``dense`` where there are none, or too few; ``zero throughout``; whole output or
            input channels, N:M along inputs or outputs, blocks, or ``unstructured``.
        along_inputs: the tightest format in groups of input channels; empty of a dense weight.
        along_outputs: the same of output channels.
        zero_outputs: output channels that are zero throughout.
        zero_inputs: input channels that are.
        simulated: the format that each stage was simulated with, ``dense`` or as ``along_inputs``.
        unskipped: by stage, why zeros take time there; stages in which they are skipped are not named.
    """

    parameter: str
    module: str
    elements: int
    zeros: int
    found: str
    along_inputs: str
    along_outputs: str
    zero_outputs: int
    zero_inputs: int
    simulated: dict[str, str]
    unskipped: dict[str, str]

    @property
    def share(self) -> float:
        """Of zeros."""
        return self.zeros / self.elements if self.elements else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnZeros:
    """A checkpoint, weight by weight.

    Attributes:
        file: its name.
        weights: those that products multiply by, in the order of the forward pass.
        missing: weights that the file has not: simulated as dense.
        others: tensors of the file, with two axes or more, that the network has not.
    """

    file: str
    weights: tuple[WeightZeros, ...]
    missing: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def sparse(self) -> tuple[WeightZeros, ...]:
        """Weights with zeros that are worth a format."""
        return tuple(each for each in self.weights if each.along_inputs)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> OwnZeros:
        """What a document was made of."""
        weights = tuple(WeightZeros(**each) for each in document["weights"])
        return cls(
            file=document["file"],
            weights=weights,
            missing=tuple(document["missing"]),
            others=tuple(document["others"]),
        )


def own_zeros(fitted: FittedWeights, schedule: Schedule, unskipped: dict[str, str]) -> OwnZeros:
    """What a step was simulated with.

    Args:
        fitted: the checkpoint's zeros.
        schedule: of the step.
        unskipped: why zeros take time, by operator; empty where they do not.
    """
    return OwnZeros(
        file=fitted.weights.name,
        weights=tuple(_weights(fitted, schedule, unskipped)),
        missing=fitted.missing,
        others=fitted.others,
    )


def _weights(fitted: FittedWeights, schedule: Schedule, unskipped: dict[str, str]) -> Iterator[WeightZeros]:
    pruned = schedule.pruned
    multiplying = [each for each in pruned.graph.products if each.stage in (Stage.FORWARD, Stage.BACKWARD)]
    for name, found in fitted.found.items():
        readers = [each for each in multiplying if each.parameter == name]
        prunings = {each.stage.value: pruned.prunings.get(each.name) for each in readers}
        tight = [found.tightest(stage) for stage in (Stage.FORWARD, Stage.BACKWARD)]
        yield WeightZeros(
            parameter=name,
            module=readers[0].module,
            elements=found.elements,
            zeros=found.zeros,
            found=kind_of(found),
            along_inputs="" if tight[0] is None else str(tight[0]),
            along_outputs="" if tight[1] is None else str(tight[1]),
            zero_outputs=found.zero_outputs,
            zero_inputs=found.zero_inputs,
            simulated={stage: "dense" if each is None else str(each.pattern) for stage, each in prunings.items()},
            unskipped={each.stage.value: unskipped[each.name] for each in readers if unskipped.get(each.name)},
        )


def kind_of(found: FoundZeros) -> str:
    """What the zeros of a weight are, in a word or three."""
    if found.zeros == found.elements:
        return "zero throughout"
    if not found.is_sparse:
        return "dense"
    if found.zero_channels:
        return f"whole {found.zero_channels.removesuffix('s')} channels"
    along = {"inputs": found.meant(Stage.FORWARD), "outputs": found.meant(Stage.BACKWARD)}
    meant = {axis: pattern for axis, pattern in along.items() if pattern is not None}
    if len(meant) == 2 and len(set(meant.values())) == 1:
        return f"{meant['inputs']} along inputs and outputs"
    if meant:
        return " and ".join(f"{pattern} along {axis}" for axis, pattern in meant.items())
    return "unstructured" if found.block == (1, 1) else f"blocks of {found.block[0]}x{found.block[1]}"
