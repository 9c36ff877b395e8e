"""What a recipe says of the method that it is: its name, where it is defined, its kind, what was published of it.

Nothing here changes what is simulated or trained. A published figure is quoted as it stands there: of another machine
and network, as a rule, so that it is told beside ours and not compared with it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from ...configs.near import near
from ...configs.quantity import FormatText
from ...configs.section import Section
from .catalogue import METHOD_KINDS, MethodKind, catalogue


class PublishedFigure(Section):
    """A figure that was published of a method."""

    text: str = Field(min_length=1, description="quoted")
    what: str = Field(min_length=1, description="what the figure is of, and on what it was measured")
    where: str = Field(min_length=1, description="where it stands")


class Usual(Section):
    """What a method is usually run with: it is shown, and what the table of methods simulates."""

    sparsity: FormatText = Field(description="ratio, for --sparsity; 0% where nothing is pruned")
    workload: str = Field(
        default="resnet50-imagenet", description="shipped workload nearest to what it was published on"
    )


class About(Section):
    """A recipe's words of itself."""

    name: str = Field(pattern=r"^[^/\\]+$", description="without a slash: it names folders")
    title: str
    source: str = Field(description="where the method is defined")
    definition: Literal["published", "assumed"] = Field(
        default="published", description="whether the method as stated here was published, or is our reading"
    )
    kind: MethodKind | None = Field(default=None, description=f"of method: {', '.join(METHOD_KINDS)}")
    method: str = Field(
        default="", description="id of the row that it realises of `configs/methods/catalogue.csv`; none without one"
    )
    published: tuple[PublishedFigure, ...] = Field(default=(), description="figures of the method, quoted")
    usual: Usual | None = Field(default=None, description="what the method is usually run with; decides nothing")

    @field_validator("method")
    @classmethod
    def _is_in_the_catalogue(cls, method: str) -> str:
        if method and method not in catalogue():
            raise ValueError(f"got {method!r}, need the id of a method of the catalogue{near(method, catalogue())}")
        return method
