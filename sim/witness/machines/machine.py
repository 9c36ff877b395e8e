"""A register-level machine of the tensor engine: every PE, register and cycle, with real numbers flowing.

``run`` multiplies two matrices on it and says how many cycles that took. The cycle count is the definition that the
closed forms of ``accel.tensor_engine`` are held to; it is observed (the last cycle in which a result becomes usable at
the output edge), and nothing in this folder computes it. What is modelled: operands that enter skewed and hop from PE
to PE, multiplier and adder stages, partial sums with a check on every dependence, result registers that drain, shadow
banks that load. Not modelled: buffers, ports and DRAM; every operand is at the edge when its lane wants it.

Small sizes only: time goes with cycles, and some microseconds each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ....configs.arrays import FloatArray
from ....configs.pattern import DENSE, Pattern
from .operands import Groups, require_pruned
from .output_stationary import run_output_stationary
from .specification import Machine, Mapping, Operand, Outcome
from .weight_stationary import run_weight_stationary

__all__ = ["Machine", "Mapping", "Outcome", "run"]


def run(
    machine: Machine,
    mapping: Mapping,
    a: FloatArray,
    b: FloatArray,
    *,
    taps: int = 1,
    pattern: Pattern = DENSE,
    compressed: Operand | None = None,
) -> Outcome:
    """Multiply ``a`` [m, k] by ``b`` [k, n] on the machine.

    Args:
        machine: the tensor engine.
        mapping: the dataflow, the interleave and what a PE holds.
        a: the west operand; k is ``taps`` kernel positions by channels, tap-major.
        b: the north operand.
        taps: kernel positions; groups of M run along the channels of one position.
        pattern: N:M of the compressed operand. N = M lowers as dense.
        compressed: the operand stored as (value, index) pairs, its pruned elements already zero; ``None`` when dense.

    Raises:
        ValueError: the shapes do not fit, a value is not finite, or the compressed operand is not pruned.
        MappingError: the mapping needs more registers than a PE has.

    The dot product of two vectors on one PE, one accumulation a cycle:

    >>> one = Machine(rows=1, cols=1, drain="wire")
    >>> outcome = run(one, Mapping(dataflow="os"), np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]))
    >>> outcome.product.item(), outcome.cycles
    (11.0, 2)
    """
    laid = lay_operands(mapping, a, b, taps=taps, pattern=pattern, compressed=compressed)
    groups, rows, columns = laid.groups, laid.rows, laid.columns
    if mapping.dataflow == "os":
        return run_output_stationary(machine, mapping, rows, columns, groups, laid.compressed)
    if mapping.dataflow == "ws":
        return run_weight_stationary(
            machine, mapping, rows, columns, groups, moving_is_compressed=laid.compressed == "a"
        )
    transposed = run_weight_stationary(
        machine, mapping, columns, rows, groups, moving_is_compressed=laid.compressed == "b"
    )
    return replace(transposed, product=transposed.product.T)


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """Operands as an array meets them.

    Attributes:
        rows: A, [m, k].
        columns: the transpose of B, [n, k].
        groups: groups along k.
        compressed: the operand that travels as pairs; dense ones travel as pairs of groups of one.
    """

    rows: FloatArray
    columns: FloatArray
    groups: Groups
    compressed: Operand


def lay_operands(
    mapping: Mapping, a: FloatArray, b: FloatArray, *, taps: int, pattern: Pattern, compressed: Operand | None
) -> Laid:
    """Operands for an array; arguments and errors as for ``run``."""
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0] or 0 in (*a.shape, *b.shape):
        raise ValueError(f"operands: got shapes {a.shape} and {b.shape}, need [m, k] and [k, n], none of them 0")
    if taps < 1 or a.shape[1] % taps:
        raise ValueError(f"taps: got {taps}, need a divisor of k = {a.shape[1]}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("operands: got a value that is not finite; a sum with it would hide a wrong register")
    if compressed is None or pattern.is_dense:
        pattern = DENSE
        compressed = "a" if mapping.dataflow == "is" else "b"
    groups = Groups(taps=taps, channels=a.shape[1] // taps, pattern=pattern)
    rows, columns = a.astype(np.float64), b.T.astype(np.float64)
    # Here, where vectors still have the numbers that the caller knows; the array sees them cut into folds.
    require_pruned(rows if compressed == "a" else columns, groups)
    return Laid(rows=rows, columns=columns, groups=groups, compressed=compressed)
