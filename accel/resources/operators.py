"""What an arithmetic operator takes, by number format: what a file in ``configs/operators`` says, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

from pydantic import Field, NonNegativeFloat

from ...configs.errors import ConfigError
from ...configs.provenance import Provenance
from ...configs.schema import load_annotated
from ...configs.section import Section
from .amounts import Amounts, Estimate


class Operator(Section):
    """What one operator takes."""

    luts: NonNegativeFloat = Field(description="look-up tables")
    flip_flops: NonNegativeFloat = Field(description="registers of its pipeline")
    dsps: NonNegativeFloat = Field(description="multiplier slices")


class OperatorTable(Section):
    """Arithmetic operators of one family of parts."""

    name: str = Field(description="name of the table")
    title: str = ""
    multiply: dict[str, Operator] = Field(description="a multiplier by the format of its operands")
    add: dict[str, Operator] = Field(description="an adder by the format of the sums")
    function: dict[str, Operator] = Field(description="one of exponential, division, square root, by format")


Kind = Literal["multiply", "add", "function"]


@dataclass(frozen=True, slots=True)
class Operators:
    """A table with what its ranges say.

    Attributes:
        name: of the table.
        known: what one operator takes, by kind and format.
    """

    name: str
    known: dict[tuple[Kind, str], Estimate]

    def one(self, kind: Kind, number_format: str) -> Estimate:
        """What one operator takes.

        Raises:
            ConfigError: the table has none of this format.
        """
        found = self.known.get((kind, number_format))
        if found is None:
            formats = ", ".join(each for of, each in self.known if of == kind)
            raise ConfigError(f"operator table {self.name}: {kind}: got {number_format!r}, need one of {formats}")
        return found


@cache
def load_operators(name_or_path: str) -> Operators:
    """Load a shipped table by name, or a user's file by path.

    Raises:
        ConfigError: the file is missing or wrong; the message names file, line and field.
    """
    loaded = load_annotated(name_or_path, OperatorTable, "operators")
    ends = {path: _ends(path, known) for path, known in loaded.provenance.items()}
    kinds: tuple[Kind, ...] = get_args(Kind)
    known = {}
    for kind in kinds:
        for number_format in getattr(loaded.model, kind):
            of = [ends[f"{kind}.{number_format}.{field}"] for field in Operator.model_fields]
            known[kind, number_format] = Estimate(*(Amounts(*amounts) for amounts in zip(*of, strict=True)))
    return Operators(loaded.model.name, known)


def _ends(path: str, known: Provenance) -> tuple[float, float, float]:
    """Lowest, likeliest and highest."""
    if not known.range:
        return known.value, known.value, known.value
    low, high, *more = known.range
    if more or not low <= known.value <= high:
        raise ConfigError(f"{path}: got range {list(known.range)}, need two ends around {known.value}")
    return low, known.value, high
