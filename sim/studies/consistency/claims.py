"""What a claim file says: a design's unknowns, the runs that claims are about, the claims, and what is asked.

Unknowns are the axes of a sweep (here, or of a sweep file) and every value that has a range in the files of the design,
so that whatever a sweep may vary and whatever ``--range`` varies may be unknown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from ....configs.errors import ConfigError
from ....configs.schema import Loaded, load_annotated
from ....configs.section import Section
from ....configs.strict_yaml import Document
from ..explore.loading import checked_sweep, load_sweep
from ..explore.sweep import Sweep

_OF_SWEEP = ("base", "axes", "derived", "constraints")
"""What a claim file may say itself, or have from a sweep."""


class Claim(Section):
    """A statement that designs agree with or not."""

    name: str = Field(description="in a few words")
    source: str = Field(min_length=1, description="where it is published")
    value: str = Field(description="expression over figures and fields of the hardware, such as speedup_vs_dense")
    where: dict[str, Any] = Field(default_factory=dict, description="which runs it is about: values of their settings")
    over: Literal["mean", "every", "some"] = Field(
        default="mean",
        description="mean: of the runs' values; every: each run's; some: the mean of some of the runs, whichever suit",
    )
    at_least: PositiveInt = Field(default=1, description="with over: some, runs that are averaged at least")
    least: float | None = Field(default=None, description="the value is this or more, in the figure's unit")
    most: float | None = Field(default=None, description="the value is this or less, in the figure's unit")

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.least is None and self.most is None:
            raise ValueError("least: got neither least nor most, need one of them or both")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError(f"most: got {self.most:g}, need at least {self.least:g}")
        return self


class Answer(Section):
    """Something to be known of the design."""

    name: str = Field(description="in a few words")
    value: str = Field(description="expression over figures and fields of the hardware")
    where: dict[str, Any] = Field(default_factory=dict, description="which runs it is about: values of their settings")
    over: Literal["mean", "each"] = Field(default="mean", description="of the runs' values, or an answer for each run")


class Claims(Section):
    """A whole claim file."""

    name: str = Field(pattern=r"^[^/\\]+$", description="without a slash: it names folders")
    title: str = ""
    sweep: str | None = Field(default=None, description="name or path of a sweep whose axes are unknown")
    base: dict[str, Any] = Field(default_factory=dict, description="as a sweep's: hardware, recipe, batch, ...")
    axes: dict[str, Any] = Field(default_factory=dict, description="as a sweep's: what is unknown, and what it may be")
    derived: dict[str, Any] = Field(default_factory=dict, description="as a sweep's: what follows from the axes")
    constraints: tuple[str, ...] = Field(default=(), description="as a sweep's: what a design must be")
    runs: dict[str, Any] = Field(min_length=1, description="as a sweep's scenarios: what every design runs")
    ranges: bool = Field(default=True, description="whether values with a range in the files are unknown, too")
    draws: PositiveInt = Field(default=96, le=100_000, description="designs drawn")
    seed: int = Field(default=0, ge=0, description="of the draws")
    claims: tuple[Claim, ...] = Field(description="what is published of the design")
    answers: tuple[Answer, ...] = Field(min_length=1, description="what is asked")


def load_claims(name_or_path: str | Path) -> tuple[Loaded[Claims], Loaded[Sweep]]:
    """A shipped claim file by name, or a user's by path, and the sweep that it makes.

    Raises:
        ConfigError: a line for each fault.
    """
    loaded = load_annotated(name_or_path, Claims, "claims")
    named = loaded.model.sweep
    if named is None:
        return loaded, _sweep_of(loaded, loaded.document, {})
    try:
        other = load_sweep(named)
    except ConfigError as error:
        raise ConfigError(f"{loaded.document.place_of(('sweep',))}: sweep: {error}") from None
    return loaded, _sweep_of(loaded, other.document, other.document.data)


def _sweep_of(loaded: Loaded[Claims], document: Document, said: dict[str, Any]) -> Loaded[Sweep]:
    """The space of the unknowns as a sweep, whose scenarios are the runs."""
    own = loaded.document
    data: dict[str, Any] = {name: said[name] for name in _OF_SWEEP if name in said}
    data |= {name: own.data[name] for name in _OF_SWEEP if own.data.get(name)}
    if not data.get("axes"):
        # One value: nothing but ranges is unknown.
        hardware = data.get("base", {}).get("hardware")
        if hardware is None:
            raise ConfigError(f"{own.place_of(())}: base.hardware: got none, need a design or axes; try sat-vcu1525")
        data["axes"] = {"hardware": [hardware]}
    data |= {"name": loaded.model.name, "scenarios": own.data["runs"], "objectives": [{"maximise": "speedup_vs_dense"}]}
    places = dict(document.places) | {path: own.place_of(path) for path in own.places if path and path[0] in data}
    places |= {("scenarios", *path[1:]): at for path, at in own.places.items() if path and path[0] == "runs"}
    return checked_sweep(Document(file=document.file, data=data, places=places))
