"""What a finished training run leaves behind, as plain data. Free of torch: a report reads it without.

A run's directory holds ``settings.json``, ``log.csv`` (a row a step), ``densities.csv`` (a row a layer and epoch),
``graph.json`` (the step of this very model, to be simulated), ``checkpoint.pt`` until the run ends, and at its end
``weights.pt`` (a plain model's state dict with the pruned weights), ``checksums.sha256`` of what others go on from, and
``summary.json``: this; of several tasks ``tasks.pt``, a state dict for each. ``bisparse assign`` adds ``layers.csv``.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..configs.errors import ConfigError
from ..configs.file_reading import is_file, read_file
from ..configs.plain_fields import check_fields
from ..configs.strict_json import parse_json
from .run_checksums import check_content
from .settings import TrainingSettings

SUMMARY_FILE = "summary.json"
SETTINGS_FILE = "settings.json"
LOG_FILE = "log.csv"
GRAPH_FILE = "graph.json"
CHECKPOINT_FILE = "checkpoint.pt"
WEIGHTS_FILE = "weights.pt"
TASKS_FILE = "tasks.pt"

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochResult:
    """Where a run stood after an epoch; losses in nats a sample (of a text: a symbol), accuracies as shares.

    Attributes:
        epoch: counted from 1.
        step: updates done.
        learning_rate: of the last update.
        train_loss: mean over the epoch's steps.
        validation_loss: after it.
        validation_accuracy: after it.
        mask_churn: share of mask elements that changed an update, over all pruned layers; None when nothing is pruned.
        phase: of the recipe.
        skipped_steps: updates left out because FP16 gradients overflowed.
    """

    epoch: int
    step: int
    learning_rate: float
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    mask_churn: float | None
    phase: str
    skipped_steps: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleResult:
    """Where a run that repeats its training stood after a cycle, on the validation split.

    Attributes:
        cycle: counted from 1; 0 of the first training.
        step: updates of the whole run done.
        kept: share of the weights that the recipe prunes.
        validation_loss: nats a sample; of a text, a symbol.
        validation_accuracy: as a share; of several retrainings that of their mean.
        retrainings: accuracy of each retraining by itself, where several were averaged.
    """

    cycle: int
    step: int
    kept: float
    validation_loss: float
    validation_accuracy: float
    retrainings: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """Where a run of several tasks stood after one, on the validation split.

    Attributes:
        task: that ended, counted from 1.
        step: updates of the run done.
        classes: that it tells apart.
        taken: share of the weights under masks that some task so far multiplies by.
        validation_accuracies: of every task so far, under its own masks, among its own classes.
    """

    task: int
    step: int
    classes: int
    taken: float
    validation_accuracies: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubNetworkResult:
    """A network within the one that was trained, with its weights and running statistics of its own.

    Attributes:
        title: what it keeps.
        parameters: that it has.
        test_accuracy: share of the test split, measured once, at the end.
        test_loss: nats a sample.
    """

    title: str
    parameters: int
    test_accuracy: float
    test_loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A finished run.

    Attributes:
        settings: what it was told.
        recipe_name: of the recipe, which may have come from a file.
        recipe_sha256: of its content.
        data_sha256: of the data's content.
        parameters: of the model.
        steps_per_epoch: batches.
        steps: updates of the whole run, those of every repetition.
        switch_step: after which STEP switched; None for other recipes.
        test_accuracy: share of the test split, measured once, at the end.
        test_loss: nats a sample.
        validation_accuracy: at the end.
        validation_loss: at the end.
        epochs: one result an epoch.
        patterns: ratio of each pruned stage, by layer and stage: ``{"conv2": {"FF": "2:8", "BP": "2:8"}}``.
        dense_reasons: why a layer stays dense, by ``path:FF`` and ``path:BP``.
        weights_sha256: of the final master weights, all bits.
        train_seconds: spent in training steps, on this machine.
        torch_version: that trained it.
        threads: of torch; another number may round sums otherwise.
        bisparse_version: that trained it.
        device: of torch, that trained it.
        cycles: of a recipe that repeats its training, the first training's first; else none.
        tasks: of a recipe that trains several, one after another; else none. Accuracies and losses at the end are those
            of all tasks then.
        left_over: of a recipe that drives groups to zero, by the first layer that makes them, the share of their
            squared norm that was set to zero when they were removed.
        sub_networks: of a recipe whose steps train networks within another, drawn, each of them; else none.
    """

    settings: TrainingSettings
    recipe_name: str
    recipe_sha256: str
    data_sha256: str
    parameters: int
    steps_per_epoch: int
    steps: int
    switch_step: int | None
    test_accuracy: float
    test_loss: float
    validation_accuracy: float
    validation_loss: float
    epochs: tuple[EpochResult, ...]
    patterns: dict[str, dict[str, str]]
    dense_reasons: dict[str, str]
    weights_sha256: str
    train_seconds: float
    torch_version: str
    threads: int
    bisparse_version: str
    device: str = "cpu"
    cycles: tuple[CycleResult, ...] = ()
    tasks: tuple[TaskResult, ...] = ()
    left_over: dict[str, float] = field(default_factory=dict)
    sub_networks: tuple[SubNetworkResult, ...] = ()

    @property
    def training_steps(self) -> int:
        """Updates of one training, which is what a recipe's shares are of."""
        return self.settings.epochs * self.steps_per_epoch

    def document(self) -> dict[str, Any]:
        """The summary as plain data, ready for JSON."""
        return {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(self)}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> RunSummary:
        """The summary that a document was made of.

        Raises:
            ConfigError: it is none, see ``check_fields``.
        """
        check_fields(document, cls, beside=("schema_version",))
        fields = {name: value for name, value in document.items() if name != "schema_version"}
        fields["settings"] = TrainingSettings.from_document(fields["settings"])
        fields["epochs"] = tuple(EpochResult(**each) for each in fields["epochs"])
        cycles = fields.get("cycles", ())
        fields["cycles"] = tuple(CycleResult(**each | {"retrainings": tuple(each["retrainings"])}) for each in cycles)
        fields["tasks"] = tuple(
            TaskResult(**each | {"validation_accuracies": tuple(each["validation_accuracies"])})
            for each in fields.get("tasks", ())
        )
        fields["sub_networks"] = tuple(SubNetworkResult(**each) for each in fields.get("sub_networks", ()))
        return cls(**fields)


def read_summary(directory: Path) -> RunSummary:
    """The summary of a finished run.

    Raises:
        ConfigError: there is none there, it is not one, or it is not what the run wrote.
    """
    path = directory / SUMMARY_FILE
    if not is_file(path):
        raise ConfigError(
            f"{directory}: got no readable {SUMMARY_FILE}, need the directory of a finished run; try bisparse train"
        )
    content = read_file(path, need="a summary")
    check_content(path, content)
    try:
        document = parse_json(content, file=path)
    except ValueError as error:
        raise ConfigError(f"{path}: got broken JSON, need a summary; try removing it and training again") from error
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version != SCHEMA_VERSION:
        raise ConfigError(
            f"{path}: schema_version: got {version!r}, need {SCHEMA_VERSION}; try removing it and training again"
        )
    try:
        return RunSummary.from_document(document)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}; try removing it and training again") from None
