"""A change of floating type alone is no pass of its own.

The hardware has one type for operands and one for sums, whatever torch holds a tensor in: what torch casts, the
operator that wrote it would have written so, as compilers fuse it.
"""

from __future__ import annotations

from .step_record import Call, StepRecord


def cast(record: StepRecord, call: Call) -> bool:
    """A copy in another floating type: another name of the same value."""
    source, result = call.args[0], call.target
    if not (source.is_floating_point() and result.is_floating_point()) or source.dtype == result.dtype:
        return False
    value = record.known(source)
    record.bind(result, record.value_of(source) if value is None else value)
    return True
