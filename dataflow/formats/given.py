"""What a design makes of zeros that a checkpoint brings: the tightest format that it skips, of those that they keep to.

Zeros that nothing skips are stored as values and a bitmap where the design puts zeros back on the way to its buffers,
and like other values where it does not.
"""

from __future__ import annotations

from ...accel.specification import Hardware
from ...configs.pattern import DENSE, Pattern
from ...configs.unstructured import Unstructured
from ...training.graph import Stage, TrainingGraph
from ...training.own_weights.fitting import FittedWeights
from ...training.own_weights.found_zeros import FoundZeros
from ...training.own_weights.measured import Measured, OwnMask
from ...training.recipes.given import GivenFormat
from .blocks import SkippedBlocks, why_no_blocks
from .skipped import Skipped, skipped_as, skips_none, slot_share

STAGES = (Stage.FORWARD, Stage.BACKWARD)
"""That multiply by weights."""

_OTHER = {Stage.FORWARD: Stage.BACKWARD, Stage.BACKWARD: Stage.FORWARD}

_AXES = {Stage.FORWARD: "inputs", Stage.BACKWARD: "outputs"}
"""Channels that a stage sums over."""


def given_formats(
    fitted: FittedWeights, graph: TrainingGraph, hardware: Hardware
) -> dict[tuple[str, Stage], GivenFormat]:
    """The format of every weight in both stages, as a design takes it.

    Args:
        fitted: the zeros of the graph's weights.
        graph: that they are weights of.
        hardware: the design.
    """
    parameters = dict.fromkeys(each.parameter for each in graph.products if each.parameter is not None)
    absent = GivenFormat(format=DENSE, unskipped=f"{fitted.weights.name} has no such weight")
    return {
        (name, stage): given_format(fitted.found[name], stage, hardware, fitted.masks.get(name))
        if name in fitted.found
        else absent
        for name in parameters
        for stage in STAGES
    }


def given_format(found: FoundZeros, stage: Stage, hardware: Hardware, mask: OwnMask | None = None) -> GivenFormat:
    """The format of a weight in a stage.

    Args:
        found: its zeros.
        stage: FF or BP.
        hardware: the design.
        mask: where they lie; at random places when None.
    """
    if not found.is_sparse:
        return GivenFormat(format=DENSE, unskipped=_why_dense(found))
    regular, irregular = _regular(found, stage, hardware), _irregular(found, stage, hardware, mask)
    if regular is not None and (irregular is None or slot_share(regular) <= slot_share(irregular)):
        return GivenFormat(format=regular)
    if irregular is not None:
        return GivenFormat(format=irregular.declared)
    if not hardware.buffers.zero_insertion:
        return GivenFormat(format=DENSE, unskipped=_why_unskipped(found, stage, hardware))
    return GivenFormat(format=found.anywhere, unskipped=_why_unskipped(found, stage, hardware))


def _why_dense(found: FoundZeros) -> str:
    if not found.zeros:
        return "no zeros in the checkpoint"
    if found.zeros == found.elements:
        return "zero throughout in the checkpoint: simulated as if it were not"
    return "too few zeros in the checkpoint for a bit an element"


def _regular(found: FoundZeros, stage: Stage, hardware: Hardware) -> Pattern | None:
    """The tightest N:M that the array has by name and that holds: so do all that keep more of the same groups."""
    held = {each.group: each.kept for each in found.along(stage)}
    named = map(Pattern.parse, hardware.tensor_engine.patterns)
    fit = [each for each in named if held.get(each.group, each.group) <= each.kept < each.group]
    largest = hardware.reduction_engine.largest_group
    return min(
        (each for each in fit if each.group <= largest), key=lambda each: (each.density, each.group), default=None
    )


def _irregular(
    found: FoundZeros, stage: Stage, hardware: Hardware, mask: OwnMask | None
) -> Skipped | SkippedBlocks | None:
    """Zeros without a rule as the array skips them, in whole blocks where it can; None where it skips none."""
    engine = hardware.tensor_engine
    seen = [each.turned if stage is Stage.BACKWARD else each for each in (found.in_blocks, found.anywhere)]
    own = next((each for each in seen if engine.exploits.takes(each, engine.cols)), None)
    if own is None:
        return None
    if mask is not None:
        # As the forward pass has it, then as this stage does.
        forward = Measured.of(own.turned if stage is Stage.BACKWARD else own, mask)
        own = forward.turned if stage is Stage.BACKWARD else forward
    return skipped_as(own, engine, engine.cols)


def _why_unskipped(found: FoundZeros, stage: Stage, hardware: Hardware) -> str:
    meant, other = found.meant(stage), found.meant(_OTHER[stage])
    if meant is not None:
        offered = ", ".join(hardware.tensor_engine.patterns) or "dense only"
        return f"{hardware.name} has no {meant} ({offered})"
    if found.zero_channels:
        return "channels of zeros are multiplied like any others, until the network is captured without them"
    if other is not None:
        return f"{other} along {_AXES[_OTHER[stage]]} is no rule along {_AXES[stage]}, over which {stage.value} sums"
    if not _is_single(found.in_blocks):
        if hardware.tensor_engine.exploits.block is not None:
            return why_no_blocks(found.in_blocks, hardware)
        return f"{hardware.name} skips no blocks of zeros"
    return skips_none(hardware)


def _is_single(blocks: Unstructured) -> bool:
    return blocks.rows * blocks.cols == 1
