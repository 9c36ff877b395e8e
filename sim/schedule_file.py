"""Schedules as JSON files: the decisions of one step, readable, versioned, replayed against the same inputs.

A file holds what a schedule was made for (by name) and the mapping of every product; times are not saved, since the
engines make them again. A replayed schedule differs from the one that was searched only in the number of candidates:
nothing is searched. Sizes of products are checked against the graph; a mapping may be edited by hand, as long as the
design can do it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, create_model

from ..accel.specification import DataflowName, Hardware
from ..configs.errors import ConfigError, MappingError
from ..configs.library import find
from ..configs.quantity import FormatText
from ..configs.schema import validate
from ..configs.section import Section
from ..configs.strict_yaml import Document, parse
from ..configs.whole_file import write_whole
from ..dataflow.gemm import Beside, Form
from ..dataflow.mapping import SHARED_NUMBERS, ArrayMapping, Mapping, Side, array_mappings
from ..dataflow.schedule import Schedule
from ..dataflow.works import PlannedProduct
from .options import DECLARED, OF_PASSES, SAVED
from .step.step_size import LARGEST_STEP

SCHEMA_VERSION = 1

Order = Literal["mnk", "mkn", "nmk", "nkm", "kmn", "knm"]


Extent = Annotated[int, Field(ge=1, le=LARGEST_STEP)]
"""Values along a dimension."""

Turns = Annotated[int, Field(ge=1, le=2**20)]
"""What a PE turns between, holds, or is packed: far past what any holds."""


class Decision(Section):
    """One product and its mapping; the fields are those of ``Gemm``, ``ArrayMapping`` and ``Mapping``."""

    name: str
    m: Extent
    n: Extent
    k: Extent
    count: Extent
    dataflow: DataflowName
    swapped: bool
    interleave_m: Turns
    interleave_n: Turns
    resident_groups: Turns
    interleave: Turns
    own: dict[str, Turns] = Field(default_factory=dict)
    """Numbers that the dataflow names itself, where it has such."""
    tile_m: Extent
    tile_n: Extent
    tile_k: Extent
    order: Order
    packed: Turns = 1
    """Repetitions to a pack: tiles are those of packs, m, n, k and count those of the graph's own product."""
    expanded: bool = False
    """Whether sparse operands are multiplied densely."""
    alone: Literal["a", "b"] | None = None
    """Of two sparse operands the one that is not."""
    split: Turns = 1
    """Groups of columns that share k out."""
    along: Beside = "m"
    """The axis that several arrays share out, of a design that has such."""

    @property
    def mapping(self) -> Mapping:
        """The decision as engines take it."""
        shared = {name: getattr(self, name) for name in SHARED_NUMBERS}
        array = ArrayMapping.on(Side(dataflow=self.dataflow, swapped=self.swapped), shared | self.own)
        return Mapping(
            array=array,
            tile_m=self.tile_m,
            tile_n=self.tile_n,
            tile_k=self.tile_k,
            order=self.order,
            form=Form(
                packed=self.packed,
                expanded=self.expanded,
                alone=self.alone,
                split=self.split,
                beside="m" if self.split > 1 and array.west == "b" else "n",
                along=self.along,
            ),
        )


class ScheduleInputs(Section):
    """What a file says of what was scheduled, and the decisions."""

    schema_version: int
    hardware: str
    workload: str
    recipe: str
    sparsity: FormatText
    products: tuple[Decision, ...] = Field(min_length=1)

    @property
    def options(self) -> dict[str, Any]:
        """How it was scheduled, by name of ``sim.options.Options``."""
        return {name: getattr(self, name) for name in SAVED}


def _option_fields() -> dict[str, Any]:
    """Types and defaults: a file is complete but for what its version did not know."""
    return {
        name: (DECLARED[name].kind.annotation, ... if saved.unsaid is None else saved.unsaid)
        for name, saved in SAVED.items()
    }


ScheduleFile = create_model("ScheduleFile", __base__=ScheduleInputs, **_option_fields())
"""What a file says: the inputs and, as fields of their own, the options that a saved schedule holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedSchedule:
    """A schedule read back.

    Attributes:
        document: the file and the line of every value in it, for messages.
        content: what it says.
    """

    document: Document
    content: ScheduleInputs

    @property
    def decisions(self) -> dict[str, Mapping]:
        """The mapping of every product, by name."""
        return {product.name: product.mapping for product in self.content.products}

    def check_made_for(self, **inputs: object) -> None:
        """Refuse inputs, by field of the file, that the schedule was not made for.

        Args:
            **inputs: fields of the file; of options those that bind, see ``configs.option.Saved``.

        Raises:
            ConfigError: one of them differs; the message names the file, the line and the field.
        """
        for name, asked in inputs.items():
            made_for = getattr(self.content, name)
            if made_for != asked:
                place = self.document.place_of((name,))
                raise ConfigError(
                    f"{place}: {name}: got a schedule made for {made_for}, need one for {asked}; "
                    "try saving one for these inputs"
                )

    def check_known(self, field: str, kind: str) -> None:
        """Refuse a name of the file by which nothing is shipped.

        Args:
            field: of the file, that holds the name.
            kind: of shipped file that it names.

        Raises:
            ConfigError: there is none; the message names the file, the line and the field.
        """
        try:
            find(kind, getattr(self.content, field))
        except ConfigError as error:
            raise ConfigError(f"{self.document.place_of((field,))}: {error}") from None

    def check_products(self, schedule: Schedule) -> None:
        """Refuse a file whose products are not those of the schedule that was built with it.

        Raises:
            MappingError: a product has other sizes, or the design cannot do its mapping.
        """
        planned = {product.gemm.name: product for product in schedule.products}
        for number, decision in enumerate(self.content.products):
            place = self.document.place_of(("products", number))
            if decision.name not in planned:
                raise MappingError(
                    f"{place}: {decision.name}: got a product that {schedule.pruned.graph.name} does not have, "
                    "need its own; was it made for another graph?"
                )
            self._check_product(
                f"{place}: {decision.name}",
                decision,
                planned[decision.name],
                schedule.hardware,
                interleave=schedule.interleave,
            )

    @staticmethod
    def _check_product(
        where: str, decision: Decision, planned: PlannedProduct, hardware: Hardware, *, interleave: bool
    ) -> None:
        gemm, sizes = planned.gemm, _lowered_sizes(planned)
        said = (decision.m, decision.n, decision.k, decision.count)
        if said != sizes:
            raise MappingError(
                f"{where}: got {_sizes(said)}, need {_sizes(sizes)} as in the graph; was it made for another graph?"
            )
        if planned.mapping.array not in array_mappings(hardware.tensor_engine, gemm, interleave=interleave):
            without = "" if interleave else " without interleave"
            raise MappingError(
                f"{where}: got {planned.mapping.array}, need an array mapping of {hardware.name}{without}"
            )


def schedule_document(schedule: Schedule) -> dict[str, Any]:
    """A schedule's decisions as plain data, ready for JSON."""
    pruned = schedule.pruned
    return {
        "schema_version": SCHEMA_VERSION,
        "hardware": schedule.hardware.name,
        "workload": pruned.graph.name,
        "recipe": pruned.recipe.name,
        "sparsity": str(pruned.pattern),
        **{name: _option(schedule, name) for name in SAVED},
        "products": [_decision(product) for product in schedule.products],
    }


def _option(schedule: Schedule, name: str) -> Any:
    """An option as a schedule was made with it."""
    if name in OF_PASSES:
        return getattr(schedule.passes, OF_PASSES[name])
    # When weights are made is a property of the pruned graph, all else of the schedule.
    return getattr(schedule.pruned if name == "pre_generation" else schedule, name)


def save_schedule(schedule: Schedule, path: Path | str) -> None:
    """Write a schedule, a product a line; the folder is made when it is missing.

    Raises:
        ConfigError: the file cannot be written.
    """
    document = schedule_document(schedule)
    products = ",\n".join(f"    {json.dumps(product)}" for product in document.pop("products"))
    head = "\n".join(f"  {json.dumps(name)}: {json.dumps(value)}," for name, value in document.items())
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, f'{{\n{head}\n  "products": [\n{products}\n  ]\n}}\n')
    except OSError as error:
        raise ConfigError(
            f"{target}: got {error.strerror}, need a file that can be written; try another --save-schedule"
        ) from error


def load_schedule(path: Path | str) -> SavedSchedule:
    """Read a schedule.

    Raises:
        ConfigError: the file is missing or wrong, or a newer version wrote it.
    """
    document = parse(path)
    version = document.data.get("schema_version") if isinstance(document.data, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ConfigError(
            f"{document.place_of(('schema_version',))}: schema_version: got {version}, need {SCHEMA_VERSION} or older; "
            "try a newer bisparse"
        )
    return SavedSchedule(document=document, content=validate(document, ScheduleFile))


def load_decisions(path: Path | str) -> dict[str, Mapping]:
    """The mappings that a file holds, by product name; see ``load_schedule``."""
    return load_schedule(path).decisions


def schedule_table(schedule: Schedule) -> list[tuple[str, ...]]:
    """A schedule to be read: a header, then a row a product."""
    rows = [
        (
            product.gemm.name,
            _sizes(_lowered_sizes(product)),
            str(product.gemm.pattern) if product.gemm.sparse else "dense",
            str(product.mapping),
            str(product.candidates),
        )
        for product in schedule.products
    ]
    return [("product", "m x n x k (times)", "sparsity", "mapping", "candidates"), *rows]


def _lowered_sizes(product: PlannedProduct) -> tuple[int, int, int, int]:
    lowered = product.gemm.as_lowered
    return lowered.m, lowered.n, lowered.k, lowered.count


def _sizes(sizes: tuple[int, int, int, int]) -> str:
    *extents, count = sizes
    shown = " x ".join(map(str, extents))
    return shown if count == 1 else f"{shown} ({count})"


def _decision(product: PlannedProduct) -> dict[str, Any]:
    mapping, array, form = product.mapping, product.mapping.array, product.mapping.form
    return {
        "name": product.gemm.name,
        **dict(zip(("m", "n", "k", "count"), _lowered_sizes(product), strict=True)),
        "dataflow": array.dataflow,
        "swapped": array.swapped,
        **{name: getattr(array, name) for name in SHARED_NUMBERS},
        **({"own": dict(array.own)} if array.own else {}),
        "tile_m": mapping.tile_m,
        "tile_n": mapping.tile_n,
        "tile_k": mapping.tile_k,
        "order": mapping.order,
        **({"packed": form.packed} if form.packed > 1 else {}),
        **({"expanded": True} if form.expanded else {}),
        **({"alone": form.alone} if form.alone else {}),
        **({"split": form.split} if form.split > 1 else {}),
        **({"along": form.along} if form.along != "m" else {}),
    }
