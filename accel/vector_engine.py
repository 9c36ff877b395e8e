"""What a hardware file says of the vector engine: its lanes, what rides on other work, and a price a kind of work."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from ..configs.section import Section
from ..configs.vector_kinds import NORMALISATIONS, VECTOR_KINDS
from .limits import MOST_LANES


class VectorOperation(Section):
    """The price of one kind of vector operation."""

    cycles_per_element: float = Field(le=1e6, ge=0, description="lane cycles an element")
    passes: int = Field(le=1000, default=1, ge=0, description="times that its inputs are read")
    reads: Literal["inputs", "outputs", "picked", "labels"] = Field(
        default="inputs",
        description="what is read: inputs; of the largest input as much as the outputs have (a gather); one element of "
        "that for each label, and the other inputs (picked); the other inputs alone (labels)",
    )

    @property
    def by_label(self) -> bool:
        """Whether it works once a label, not once an element."""
        return self.reads in ("picked", "labels")


class VectorEngine(Section):
    """Everything that is not a matrix product."""

    lanes: PositiveInt = Field(le=MOST_LANES, description="elements worked on side by side")
    fused: tuple[str, ...] = Field(default=(), description="kinds done in the write-back of the operator before them")
    fused_statistics: tuple[str, ...] = Field(
        default=(),
        description="kinds of several passes whose first one, over what the work before them makes, is done in its "
        "write-back; the others read it again",
    )
    fused_application: tuple[str, ...] = Field(
        default=(),
        description="kinds of fused_statistics whose other pass is done by whoever reads their result, as it is read: "
        "the result is never written where all of its readers can",
    )
    load_lanes: NonNegativeInt = Field(
        default=0,
        le=MOST_LANES,
        description="elements worked on side by side on their way into the buffers of the tensor engine, for "
        "fused_application; 0: none",
    )
    operations: dict[str, VectorOperation] = Field(description="price by kind")

    @model_validator(mode="after")
    def _kinds_priced(self) -> Self:
        if "unknown" not in self.operations:
            raise ValueError("operations: got no entry 'unknown', need one: it prices the operators that have no entry")
        for kind in self.operations:
            if kind not in VECTOR_KINDS:
                raise ValueError(f"operations.{kind}: got {kind!r}, need a kind of vector operation{_near(kind)}")
        for field, kinds in (("fused", self.fused), ("fused_statistics", self.fused_statistics)):
            for position, kind in enumerate(kinds):
                if kind not in self.operations:
                    need = f"need a kind that stands in operations{_near(kind, self.operations)}"
                    raise ValueError(f"{field}.{position}: got {kind!r}, {need}")
        for position, kind in enumerate(self.fused_statistics):
            if self.operations[kind].passes < 2:
                raise ValueError(f"fused_statistics.{position}: got {kind!r}, need a kind of 2 passes or more")
        self._check_application()
        return self

    def _check_application(self) -> None:
        for position, kind in enumerate(self.fused_application):
            where = f"fused_application.{position}: got {kind!r}, need"
            if kind not in NORMALISATIONS:
                raise ValueError(f"{where} a normalisation of one tensor{_near(kind, NORMALISATIONS)}")
            if kind not in self.fused_statistics:
                raise ValueError(f"{where} a kind of fused_statistics: its statistics are known before it is applied")
            if self.operations[kind].passes != 2:
                raise ValueError(f"{where} a kind of 2 passes: statistics, then application")
        if self.fused_application and not self.load_lanes:
            raise ValueError("load_lanes: got 0, need at least 1 for fused_application")


def _near(word: str, known: Iterable[str] = VECTOR_KINDS) -> str:
    near = difflib.get_close_matches(word, sorted(known), n=1)
    return f"; try {near[0]}" if near else ""
