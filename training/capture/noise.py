"""Dropout as one operation: torch draws a mask, scales it and multiplies by it, all in the dropout's own pass."""

from __future__ import annotations

from .drafts import Category
from .step_record import Call, StepRecord, new_value


def draw(record: StepRecord, call: Call) -> bool:
    """A random mask, which costs nothing until something else than a dropout reads it."""
    draft = record.draft("elementwise", f"aten.{call.name}", [], elements=(call.target.numel(),))
    value = new_value(call.target, Category.CONSTANT, frozenset())
    value.noise = draft
    draft.outputs.append(value)
    record.bind(call.target, value)
    return True


def scale(record: StepRecord, call: Call) -> bool:
    """A mask divided in place by what is kept."""
    noise = record.known(call.args[0])
    return bool(call.written) and noise is not None and noise.noise is not None


def multiply(record: StepRecord, call: Call) -> bool:
    """An activation times a mask: the dropout, which writes its mask too."""
    known = [(position, record.known(argument)) for position, argument in enumerate(call.args[:2])]
    masks = [(position, value) for position, value in known if value is not None and value.noise is not None]
    if len(masks) != 1 or record.context.in_backward:
        return False
    ((position, mask),) = masks
    mask.noise, mask.is_dropout_mask = None, True
    source = call.args[1 - position]
    draft = record.draft("dropout", "aten.dropout", [record.value_of(source)], elements=(source.numel(),))
    record.finish(draft, call.made, call.written)
    draft.outputs.append(mask)
    return True
