"""The figure ``accuracy``: measured by ``bisparse codesign``, looked up by recipe and ratio, never simulated.

Accuracy does not depend on the hardware, so one study of training serves every design of a space. Whether the network
trained there speaks for the workload simulated here is the user's judgement; the study's model and data are kept so
that a report can name them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ....configs.errors import ConfigError
from ....configs.file_reading import read_file
from ....configs.operand_format import OperandFormat
from ....configs.schema import Loaded
from ....configs.strict_json import parse_json
from ....training.recipes.declaration import Recipe
from ..codesign.codesign import SCHEMA_VERSION, Codesign

FILE = "codesign.json"
"""In the directory of a study."""

_DENSE = ("dense", "dense")


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """What a study of training measured.

    Attributes:
        directory: of the study, as the user named it.
        model: that was trained.
        data: that it was trained on.
        means: share of the test split classified right, the mean over seeds, by recipe and ratio.
        recipes: content hash of each recipe trained, by its name.
    """

    directory: str
    model: str
    data: str
    means: Mapping[tuple[str, str], float]
    recipes: Mapping[str, str]

    @classmethod
    def of(cls, directory: str | Path) -> Accuracy:
        """Read a study.

        Raises:
            ConfigError: ``got X, need Y``: the directory holds no study, or one that cannot be read.
        """
        path = Path(directory) / FILE
        study = _read(path)
        means: dict[tuple[str, str], float] = {}
        for point in study.points:
            # The study's own dense run comes first; others only pair what needs another optimizer.
            key = _DENSE if point.baseline else (point.recipe, point.sparsity)
            means.setdefault(key, point.accuracy.mean)
        recipes = {
            role.removeprefix("recipe "): of.sha256 for role, of in study.inputs.items() if role.startswith("recipe ")
        }
        return cls(directory=str(directory), model=study.model, data=study.data, means=means, recipes=recipes)

    def of_point(self, recipe: Loaded[Recipe], pattern: OperandFormat) -> float:
        """The accuracy that training with a recipe at a ratio reached.

        Raises:
            ConfigError: the study did not train it.
        """
        name = recipe.model.name
        if recipe.model.rewrites:
            raise ConfigError(
                f"accuracy: got {name}, which rewrites layers, need a recipe that {self.directory} trained"
            )
        key = (name, str(pattern)) if recipe.model.prunes else _DENSE
        if key not in self.means:
            trained = ", ".join(" ".join(dict.fromkeys(each)) for each in self.means)
            got = " ".join(dict.fromkeys(key))
            raise ConfigError(f"accuracy: got {got}, need what {self.directory} trained: {trained}")
        if recipe.model.prunes and self.recipes.get(name, recipe.sha256) != recipe.sha256:
            got = f"a recipe {name} that says something else than the one trained in {self.directory}"
            raise ConfigError(f"accuracy: got {got}, need the same; try another name for it")
        return self.means[key]


def _read(path: Path) -> Codesign:
    if not path.is_file():
        got = "no such directory" if not path.parent.is_dir() else f"a directory without {path.name}"
        raise ConfigError(f"got {got}, {path.parent}, need the directory of a study; try bisparse codesign")
    try:
        document = parse_json(read_file(path, need="a study of bisparse codesign"), file=path)
    except ValueError:
        raise ConfigError(f"got {path}, which cannot be read, need a study of bisparse codesign") from None
    if not isinstance(document, dict) or document.get("kind") != "codesign":
        raise ConfigError(f"got {path}, which is no study of training, need one of bisparse codesign")
    version = document.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ConfigError(f"got {path} of schema version {version!r}, need {SCHEMA_VERSION}; try codesign again")
    try:
        return Codesign.from_document(document)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}; try codesign again") from None
