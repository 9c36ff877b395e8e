"""Densities that a training run measured, layer by layer and epoch by epoch: the file ``densities.csv``. Free of torch.

A density is the share of elements that are not zero. An empty cell was not measured. Modules are dotted torch paths, as
in a training graph captured from the same model.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path

from ..configs.csv_cells import cell_text, csv_cell
from ..configs.errors import ConfigError
from ..configs.library import content_hash
from ..configs.sums import sum_in_order
from ..configs.whole_file import read_table, write_whole
from .run_checksums import check_content
from .run_summary import SUMMARY_FILE, read_summary

DENSITIES_FILE = "densities.csv"
"""The file's name in the directory of a training run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Density:
    """Shares of one layer; None where nothing was measured.

    Attributes:
        input_density: of the activation x that FF multiplies.
        gradient_density: of the output gradient, before a recipe prunes it.
        forward_weight_density: of the weight as FF multiplies by it.
        backward_weight_density: of the weight as BP multiplies by it.
        mask_churn: share of the mask's elements that a step changes.
    """

    input_density: float | None = None
    gradient_density: float | None = None
    forward_weight_density: float | None = None
    backward_weight_density: float | None = None
    mask_churn: float | None = None

    def __post_init__(self) -> None:
        for name in SHARES:
            share = getattr(self, name)
            if share is not None and not 0 <= share <= 1:
                raise ConfigError(f"{name}: got {share:g}, need a share from 0 to 1, or nothing")


SHARES = tuple(each.name for each in fields(Density))
"""Columns that hold a share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerDensity(Density):
    """A row of the file: one layer in one epoch.

    Attributes:
        epoch: counted as the trainer counts.
        module: dotted torch path.
    """

    epoch: int
    module: str


COLUMNS = ("epoch", "module", *SHARES)


@dataclass(frozen=True, kw_only=True)
class LayerDensities:
    """What a training run measured.

    Attributes:
        name: of the run.
        sha256: of the file.
        rows: a row a layer and epoch.
        trained_as: recipe and N:M of the run; None where its summary does not lie beside the file.
    """

    name: str
    sha256: str
    rows: tuple[LayerDensity, ...]
    trained_as: tuple[str, str] | None = None

    @cached_property
    def layers(self) -> dict[str, Density]:
        """Each layer's mean over the epochs in which it was measured."""
        by_module: dict[str, list[LayerDensity]] = {}
        for row in self.rows:
            by_module.setdefault(row.module, []).append(row)
        return {
            module: Density(**{name: _mean(getattr(row, name) for row in rows) for name in SHARES})
            for module, rows in by_module.items()
        }

    @cached_property
    def at_last(self) -> dict[str, Density]:
        """Each layer's in the last epoch in which it was measured."""
        rows = sorted(self.rows, key=lambda row: row.epoch)
        return {row.module: Density(**{name: getattr(row, name) for name in SHARES}) for row in rows}

    def in_pass(self, *, inference: bool) -> dict[str, Density]:
        """Of a training step the mean over the run's epochs; of a forward pass the last epoch's, which trained it."""
        return self.at_last if inference else self.layers

    def is_of(self, recipe: str) -> bool:
        """Whether a run under a recipe measured them; a file without the summary of its run is taken at its word."""
        return self.trained_as is None or self.trained_as[0] == recipe

    def weights_at_last(self, recipe: str) -> dict[str, float] | None:
        """Of each layer what FF multiplies by in the last epoch; None where the run did not train under the recipe."""
        if self.trained_as is None or self.trained_as[0] != recipe:
            return None
        last = max(row.epoch for row in self.rows)
        found = ((row.module, row.forward_weight_density) for row in self.rows if row.epoch == last)
        return {module: share for module, share in found if share is not None}


def _mean(shares: Iterable[float | None]) -> float | None:
    measured = [share for share in shares if share is not None]
    # A mean of equal floats may come out a last digit above them.
    return min(sum_in_order(measured) / len(measured), max(measured)) if measured else None


def write_densities(path: Path | str, rows: Iterable[LayerDensity]) -> None:
    """Write the file whole: whoever reads it finds all rows or those of before.

    Raises:
        ConfigError: it cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        written = asdict(row)
        shares = ("" if written[name] is None else repr(float(written[name])) for name in SHARES)
        writer.writerow([row.epoch, csv_cell(row.module), *shares])
    target = Path(path)
    try:
        write_whole(target, text.getvalue())
    except OSError as error:
        raise ConfigError(
            f"{target}: got {error.strerror}, need a file that can be written; try another --out"
        ) from error


def load_densities(path: Path | str) -> LayerDensities:
    """Read what a training run measured.

    Args:
        path: the run's directory, or the file.

    Raises:
        ConfigError: there is no such file, or it is wrong; the message names file, line and column.
    """
    file = Path(path) / DENSITIES_FILE if Path(path).is_dir() else Path(path)
    content, text = read_table(file, need="densities of a training run; try bisparse train")
    directory = file.resolve().parent
    if file.name == DENSITIES_FILE:
        check_content(file, content)
    return LayerDensities(
        name=directory.name,
        sha256=content_hash(content),
        rows=_rows(file, text),
        trained_as=_trained_as(directory),
    )


def _trained_as(directory: Path) -> tuple[str, str] | None:
    if not (directory / SUMMARY_FILE).exists():
        return None
    summary = read_summary(directory)
    return summary.recipe_name, summary.settings.sparsity


def _rows(file: Path, text: str) -> tuple[LayerDensity, ...]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: dict[tuple[int, str], LayerDensity] = {}
    try:
        header = tuple(name.strip() for name in next(reader, []))
        if sorted(header) != sorted(COLUMNS):
            raise ConfigError(f"{file}:1: got columns {', '.join(header) or 'none'}, need {', '.join(COLUMNS)}")
        for cells in reader:
            place = f"{file}:{reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise ConfigError(f"{place}: got {len(cells)} values, need {len(header)}, one a column")
            try:
                row = _row(dict(zip(header, cells, strict=True)))
            except ConfigError as error:
                raise ConfigError(f"{place}: {error}") from None
            if (row.epoch, row.module) in rows:
                raise ConfigError(f"{place}: module: got {row.module!r} twice in epoch {row.epoch}, need it once")
            rows[row.epoch, row.module] = row
    except csv.Error as error:
        raise ConfigError(f"{file}:{reader.line_num}: got broken CSV ({error}), need a row of values") from None
    if not rows:
        raise ConfigError(f"{file}:1: got no rows, need one a layer and epoch")
    return tuple(rows.values())


def _row(cells: dict[str, str]) -> LayerDensity:
    epoch = cells["epoch"].strip()
    if not (epoch.isascii() and epoch.isdecimal()):
        raise ConfigError(f"epoch: got {epoch!r}, need an integer of at least 0")
    shares = {name: _share(name, cells[name].strip()) for name in SHARES}
    return LayerDensity(epoch=int(epoch), module=cell_text(cells["module"].strip()), **shares)


def _share(name: str, text: str) -> float | None:
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{name}: got {text!r}, need a share from 0 to 1, or nothing") from None
