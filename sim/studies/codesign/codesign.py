"""The result of a co-design study: accuracy of recipes and ratios beside simulated time and energy of their training.

Accuracy is measured: every run was trained, several seeds a point, each paired with a dense run of the same seed. Time
and energy are simulated: the step of the very model trained, weighted over the phases of its recipe. Validation,
loading of data and the host are in neither. Ratios are over the dense run that a point is paired with.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ....configs.complaints import shown
from ....configs.errors import ConfigError
from ....configs.plain_fields import check_fields
from ...results.plain_data import plain_data
from ...results.simulation_result import Assumption, Input
from ..statistics import Estimate

if TYPE_CHECKING:
    import pandas

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochMean:
    """Where the runs of a point stood after an epoch, on the mean over seeds.

    Attributes:
        epoch: counted from 1.
        seconds: simulated, from the first step to the end of this epoch.
        joules: over the same steps.
        validation_accuracy: share of the validation split.
        validation_loss: nats a sample.
    """

    epoch: int
    seconds: float
    joules: float
    validation_accuracy: float
    validation_loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseCost:
    """Steps of a run that cost alike, see ``training_figures.TrainingPhase``.

    Attributes:
        kind: ``dense``, ``leak``, ``frame`` or ``sparse``.
        sparsity: N:M that is trained with, or ``dense``.
        costs_as: N:M that is simulated, or ``dense``.
        reason: why the two differ, or empty.
        steps: how many, the mean over seeds.
        step_seconds: of each.
        step_joules: of each.
    """

    kind: str
    sparsity: str
    costs_as: str
    reason: str
    steps: float
    step_seconds: float
    step_joules: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CodesignPoint:
    """One recipe at one ratio.

    Attributes:
        recipe: its name.
        title: the recipe in words.
        sparsity: N:M, or ``dense``.
        optimizer: that it was trained with, and whose update was simulated.
        learning_rate: the highest.
        baseline: whether it is a dense run that others are paired with.
        seeds: of its runs.
        test_accuracy: share of the test split, a seed each.
        test_loss: nats a sample, a seed each.
        accuracy: mean and interval over seeds.
        loss: mean and interval over seeds.
        accuracy_difference: to the dense run of the same seed and optimizer; of a baseline 0.
        loss_difference: to the same.
        switch_steps: after which each run's recipe switched; None where it has no switch.
        steps: updates of one run.
        step_seconds: simulated, mean over all steps.
        training_seconds: simulated, of all steps, mean over seeds.
        training_joules: of the same.
        speedup_vs_dense: seconds of its baseline over these.
        energy_ratio_vs_dense: these joules over those of its baseline; below 1 saves.
        phases: what the steps cost, in order.
        curve: an entry an epoch.
        patterns: ratio by layer and stage, of products that the step has; what is not there is dense.
        dense_reasons: why, by ``layer:stage``.
        trained_seconds: that one run took on the machine that trained it, mean over seeds; no measure of the design.
    """

    recipe: str
    title: str
    sparsity: str
    optimizer: str
    learning_rate: float
    baseline: bool
    seeds: tuple[int, ...]
    test_accuracy: tuple[float, ...]
    test_loss: tuple[float, ...]
    accuracy: Estimate
    loss: Estimate
    accuracy_difference: Estimate
    loss_difference: Estimate
    switch_steps: tuple[int | None, ...]
    steps: int
    step_seconds: float
    training_seconds: float
    training_joules: float
    speedup_vs_dense: float
    energy_ratio_vs_dense: float
    phases: tuple[PhaseCost, ...]
    curve: tuple[EpochMean, ...]
    patterns: dict[str, dict[str, str]]
    dense_reasons: dict[str, str]
    trained_seconds: float

    @property
    def resolved(self) -> bool:
        """Whether the interval of the accuracy difference excludes 0."""
        return self.accuracy_difference.resolved

    @property
    def time_share(self) -> float:
        """Training time over that of its baseline."""
        return 1 / self.speedup_vs_dense if self.speedup_vs_dense else 1.0


@dataclass(frozen=True, kw_only=True)
class Codesign:
    """A study of one model on one data set and one design.

    Attributes:
        bisparse_version: that made it.
        model: that was trained.
        data: that it was trained on.
        hardware: the design's name.
        inputs: hardware, energy table, graph, data and every recipe, with content hashes.
        title: of the hardware, for people.
        settings: of every run, but for recipe, ratio and seed; what differs between points stands in the points.
        parameters: of the model.
        layers: module paths of the products, in the order of the forward pass.
        steps_per_epoch: of one run.
        precision_simulated: of the design's operands; the precision trained in is a setting.
        points: baselines first, the one of the study's own optimizer before all.
        assumptions: every parameter with its status.
    """

    bisparse_version: str
    model: str
    data: str
    hardware: str
    inputs: dict[str, Input]
    title: dict[str, str]
    settings: dict[str, Any]
    parameters: int
    layers: tuple[str, ...]
    steps_per_epoch: int
    precision_simulated: str
    points: tuple[CodesignPoint, ...]
    assumptions: tuple[Assumption, ...]

    @property
    def baseline(self) -> CodesignPoint:
        """Dense, with the study's own optimizer."""
        return self.points[0]

    @property
    def sparse(self) -> tuple[CodesignPoint, ...]:
        """The points that are no baseline."""
        return tuple(point for point in self.points if not point.baseline)

    def baseline_of(self, point: CodesignPoint) -> CodesignPoint:
        """The dense point that a point is paired with."""
        return next(each for each in self.points if each.baseline and each.optimizer == point.optimizer)

    @cached_property
    def table(self) -> pandas.DataFrame:
        """A row a point; nested figures become columns such as ``accuracy.mean``."""
        import pandas

        left_out = ("curve", "phases", "patterns", "dense_reasons")
        rows = [{**plain_data(point), "resolved": point.resolved} for point in self.points]
        return pandas.json_normalize([{key: row[key] for key in row if key not in left_out} for row in rows])

    def document(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        own = {each.name: plain_data(getattr(self, each.name)) for each in fields(self)}
        return {"schema_version": SCHEMA_VERSION, "kind": "codesign", **own}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Codesign:
        """The study that a document was made of. The document must be of this schema version.

        Raises:
            ConfigError: it is none, see ``check_fields``.
        """
        check_fields(document, cls, beside=("schema_version", "kind"))
        if not document["points"]:
            raise ConfigError("points: got none, need at least the dense one")
        paired = {point["optimizer"] for point in document["points"] if point["baseline"]}
        for number, point in enumerate(document["points"]):
            if point["optimizer"] not in paired:
                raise ConfigError(f"points.{number}.optimizer: got {shown(point['optimizer'])}, need a dense point's")
        own = {name: value for name, value in document.items() if name not in ("schema_version", "kind")}
        own["inputs"] = {name: Input(**value) for name, value in own["inputs"].items()}
        own["assumptions"] = tuple(Assumption(**value) for value in own["assumptions"])
        own["layers"] = tuple(own["layers"])
        own["points"] = tuple(_point(value) for value in own["points"])
        return cls(**own)


_ESTIMATES = ("accuracy", "loss", "accuracy_difference", "loss_difference")
_TUPLES = ("seeds", "test_accuracy", "test_loss", "switch_steps")


def _point(document: dict[str, Any]) -> CodesignPoint:
    own = dict(document)
    own |= {name: Estimate(**own[name]) for name in _ESTIMATES}
    own |= {name: tuple(own[name]) for name in _TUPLES}
    own["phases"] = tuple(PhaseCost(**each) for each in own["phases"])
    own["curve"] = tuple(EpochMean(**each) for each in own["curve"])
    return CodesignPoint(**own)
