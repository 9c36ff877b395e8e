"""What the engines beside the array take: sorter lanes as mapped, update and vector lanes by their operators."""

from __future__ import annotations

from ...configs.pattern import Pattern
from ..engines import OPTIMIZERS
from ..specification import BYTES_OF, Hardware
from .amounts import Amounts, Estimate, exactly
from .operators import Operators
from .sorter import sorter

MASTER = "fp32"
"""What update and vector lanes compute in."""

# SGD with momentum is what SAT is said to do. At least plain SGD, at most Adam, with a square root and a division.
_UPDATES = (OPTIMIZERS["sgd"], OPTIMIZERS["sgd-momentum"], OPTIMIZERS["adam"])


def patterns_of(hardware: Hardware) -> list[Pattern]:
    """The N:M patterns that the array selects from; none of a dense one."""
    return [Pattern.parse(text) for text in hardware.tensor_engine.patterns]


def sorter_shape(hardware: Hardware) -> tuple[int, int, int]:
    """Group, kept and bits of a lane: the largest N of any pattern offered, of groups as large as it may take."""
    group = hardware.reduction_engine.largest_group
    kept = max((each.kept for each in patterns_of(hardware) if each.group <= group), default=1)
    return group, kept, 8 * BYTES_OF[hardware.tensor_engine.precision]


def sorter_lane(hardware: Hardware) -> Estimate:
    """A lane of that shape."""
    return exactly(sorter(*sorter_shape(hardware)))


def update_lane(operators: Operators) -> Estimate:
    """A lane that updates a weight a cycle in FP32, its operands and results in registers."""
    multiply, add = operators.one("multiply", MASTER), operators.one("add", MASTER)
    root = operators.one("function", MASTER)
    ends = []
    for end, rule in enumerate(_UPDATES):
        arithmetic = multiply[end].times(rule.multiplies).plus(add[end].times(rule.accumulates))
        held = Amounts(flip_flops=8 * (rule.read_bytes + rule.write_bytes))
        ends.append(arithmetic.plus(held).plus(root[end] if rule is OPTIMIZERS["adam"] else Amounts()))
    return Estimate(*ends)


def vector_lane(operators: Operators) -> Estimate:
    """A lane of one multiplier, one adder and one unit for exponentials, divisions and roots, all FP32."""
    found = operators.one("multiply", MASTER).plus(operators.one("add", MASTER))
    two_operands_and_result = exactly(Amounts(flip_flops=3 * 32))
    return found.plus(operators.one("function", MASTER)).plus(two_operands_and_result)
