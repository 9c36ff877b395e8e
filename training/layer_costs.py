"""What each N:M ratio would cost each layer of a trained model: the file ``layers.csv``. Free of torch.

Of every layer, stage and ratio: the share of the weights' magnitude that the stage's mask keeps, and, where it was
measured, by how much the validation loss rises when this layer alone is pruned so in its forward pass. Both are proxies
of what a ratio costs in accuracy, taken before anything is trained with it.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeVar

from ..configs.csv_cells import cell_text, csv_cell
from ..configs.errors import ConfigError
from ..configs.library import content_hash
from ..configs.pattern import Pattern
from ..configs.whole_file import read_table, write_whole
from .graph import Stage

LAYER_COSTS_FILE = "layers.csv"
"""The file's name in the directory of a training run."""

StageName = Literal["FF", "BP"]
Place = tuple[str, Stage, Pattern]
"""A layer's path, a stage and a ratio."""
Value = TypeVar("Value")

COLUMNS = ("module", "stage", "sparsity", "weights", "magnitude", "kept_magnitude", "loss_rise", "weights_sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerCost:
    """A row of the file: one layer, one stage, one ratio.

    Attributes:
        module: dotted torch path.
        stage: whose mask it is: along the input channels in FF, along the output channels in BP.
        sparsity: N:M.
        weights: of the layer.
        magnitude: sum of the weights' magnitudes.
        kept_magnitude: share of it that the mask keeps.
        loss_rise: of the validation loss in nats with this mask alone, in FF; None where it was not measured.
        weights_sha256: of all the network's weights that it was measured with, as the run's summary tells it.
    """

    module: str
    stage: StageName
    sparsity: Pattern
    weights: int
    magnitude: float
    kept_magnitude: float
    loss_rise: float | None = None
    weights_sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class LayerCosts:
    """What was measured of one model.

    Attributes:
        sha256: of the file's content.
        rows: a row a layer, stage and ratio.
    """

    sha256: str
    rows: tuple[LayerCost, ...]

    @cached_property
    def by_place(self) -> dict[tuple[str, str, Pattern], LayerCost]:
        """The rows by module, stage and ratio."""
        return {(row.module, row.stage, row.sparsity): row for row in self.rows}

    def of_weights(self, weights_sha256: str) -> LayerCosts:
        """The rows that were measured with these weights; those of a run since trained anew are left out."""
        return replace(self, rows=tuple(row for row in self.rows if row.weights_sha256 == weights_sha256))

    def cover(self, places: Iterable[Place], *, sensitivity: bool) -> bool:
        """Whether all places are known, with the rise of the loss in FF where ``sensitivity`` is asked for."""
        return not self.missing(places, sensitivity=sensitivity)

    def missing(self, places: Iterable[Place], *, sensitivity: bool) -> list[Place]:
        """The places that are not."""
        found = []
        for module, stage, pattern in places:
            row = self.by_place.get((module, stage.value, pattern))
            if row is None or (sensitivity and stage is Stage.FORWARD and row.loss_rise is None):
                found.append((module, stage, pattern))
        return found


def write_layer_costs(path: Path, rows: Iterable[LayerCost]) -> LayerCosts:
    """Write the file whole, and give what was written.

    Raises:
        ConfigError: it cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        rise = "" if row.loss_rise is None else repr(row.loss_rise)
        shares = (repr(row.magnitude), repr(row.kept_magnitude), rise)
        writer.writerow([csv_cell(row.module), row.stage, row.sparsity, row.weights, *shares, row.weights_sha256])
    try:
        write_whole(path, text.getvalue())
    except OSError as error:
        raise ConfigError(f"{path}: got {error.strerror}, need a file that can be written") from error
    return load_layer_costs(path)


def load_layer_costs(path: Path) -> LayerCosts:
    """Read the file.

    Args:
        path: of the file, or the directory that it lies in.

    Raises:
        ConfigError: there is no such file, or it is wrong; the message names file, line and column.
    """
    file = path / LAYER_COSTS_FILE if path.is_dir() else path
    content, text = read_table(file, need="what each ratio costs each layer of a trained model")
    rows: dict[tuple[str, str, Pattern], LayerCost] = {}
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = tuple(name.strip() for name in next(reader, []))
        if header != COLUMNS:
            raise ConfigError(
                f"{file}:1: got columns {', '.join(header) or 'none'}, need {', '.join(COLUMNS)}; try removing it"
            )
        for cells in reader:
            place = f"{file}:{reader.line_num}"
            if len(cells) != len(COLUMNS):
                raise ConfigError(f"{place}: got {len(cells)} values, need {len(COLUMNS)}, one a column")
            try:
                row = _row(dict(zip(COLUMNS, (cell.strip() for cell in cells), strict=True)))
            except ConfigError as error:
                raise ConfigError(f"{place}: {error}") from None
            if (row.module, row.stage, row.sparsity) in rows:
                raise ConfigError(f"{place}: got {row.module} {row.stage} at {row.sparsity} twice, need it once")
            rows[row.module, row.stage, row.sparsity] = row
    except csv.Error as error:
        raise ConfigError(f"{file}:{reader.line_num}: got broken CSV ({error}), need a row of values") from None
    return LayerCosts(sha256=content_hash(content), rows=tuple(rows.values()))


def _row(cells: dict[str, str]) -> LayerCost:
    stage = cells["stage"]
    if stage not in ("FF", "BP"):
        raise ConfigError(f"stage: got {stage!r}, need FF or BP")
    return LayerCost(
        module=cell_text(cells["module"]),
        stage="FF" if stage == "FF" else "BP",
        sparsity=Pattern.parse(cells["sparsity"]),
        weights=_number("weights", cells["weights"], int, least=1),
        magnitude=_number("magnitude", cells["magnitude"], float, least=0),
        kept_magnitude=_number("kept_magnitude", cells["kept_magnitude"], float, least=0, most=1),
        loss_rise=_number("loss_rise", cells["loss_rise"], float) if cells["loss_rise"] else None,
        weights_sha256=cells["weights_sha256"],
    )


def _number(
    name: str, text: str, kind: Callable[[str], Value], *, least: float = -math.inf, most: float = math.inf
) -> Value:
    try:
        value = kind(text)
    except ValueError:
        raise ConfigError(f"{name}: got {text!r}, need a number") from None
    number = float(value)  # type: ignore[arg-type]
    if not (math.isfinite(number) and least <= number <= most):
        limits = f" of at least {least:g}" if most == math.inf and least > -math.inf else ""
        limits = f" from {least:g} to {most:g}" if most < math.inf else limits
        raise ConfigError(f"{name}: got {text}, need a number{limits}")
    return value
