"""A training run under way: its steps, its checkpoints, and what it measures.

Whatever a step depends on is in the checkpoint (weights, optimizer, masks, generators) or a function of the settings
(order of data, augmentation, learning rate): on a CPU a run that was interrupted ends in the same weights, bit for bit,
as one that was not.
"""

from __future__ import annotations

import math
import operator
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...configs.errors import ConfigError, TrainingError
from ...configs.library import content_hash
from ...configs.schema import Loaded
from ...configs.sums import sum_in_order
from ..data import DataSet, steps_per_epoch
from ..densities import DENSITIES_FILE, LayerDensity, write_densities
from ..graph_file import graph_text, save_graph
from ..recipes.declaration import Recipe
from ..recipes.in_torch import AppliedRecipe
from ..run_summary import CHECKPOINT_FILE, GRAPH_FILE, LOG_FILE, TASKS_FILE, EpochResult, RunSummary
from ..settings import TrainingSettings
from ..trainable import build
from .checkpoint import load_checkpoint, save_checkpoint, save_state, understood
from .cycles import Cycles
from .devices import device_random_state, set_device_random_state
from .evaluation import Evaluation, among, classes_first
from .hung_on import HungOn
from .identity import check_identity
from .learning_rate import rate_at
from .narrowing import Narrowing
from .optimizers import make_optimizer
from .own_graph import captured, rewritten_by
from .run_log import RunLog
from .starting import start_with
from .summarising import machine, patterns_of, write_end
from .tasks import Tasks
from .timetable import Place, Timetable
from .watching import watched
from .weights_hash import weights_hash

CHECKPOINT_SECONDS = 20.0
"""Between checkpoints within an epoch; every epoch ends with one."""

_SMALLEST_LOSS_SCALE = 2.0**-14

Progress = Callable[[str, int, int], None]
EpochDone = Callable[[EpochResult], None]


@dataclass(kw_only=True)
class Run:
    """A run under way."""

    settings: TrainingSettings
    recipe: Loaded[Recipe]
    data: DataSet
    directory: Path
    version: str
    device: torch.device
    model: nn.Module
    hung: HungOn
    narrowing: Narrowing | None
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    timetable: Timetable
    cycles: Cycles
    identity: dict[str, Any]
    step: int = 0
    loss_sum: float = 0.0
    skipped: int = 0
    seconds: float = 0.0
    epochs: list[EpochResult] = field(default_factory=list)
    densities: list[LayerDensity] = field(default_factory=list)

    @classmethod
    def begin(
        cls,
        settings: TrainingSettings,
        recipe: Loaded[Recipe],
        data: DataSet,
        directory: Path,
        version: str,
        device: torch.device,
        identity: dict[str, Any],
    ) -> Run:
        """Everything in place for the next step: the first one, or that after the last checkpoint.

        Raises:
            ConfigError: the checkpoint is of another run, or the model's code has changed since.
        """
        batches = steps_per_epoch(data, settings.batch)
        torch.manual_seed(settings.seed)
        model = build(settings.model, data).to(device).train()
        started = {} if settings.start is None else {"start": start_with(model, settings.start)}
        graph = captured(model, settings, data)
        try:
            narrowing = None
            if recipe.model.changes_widths:
                narrowing = Narrowing(settings, recipe.model, data, model, graph, device)
                trained = narrowing.graph
            else:
                trained = rewritten_by(recipe.model, model, graph, settings, data, device)
            hung = HungOn.of(settings, recipe.model, data, model, trained, device)
        except ConfigError as error:
            raise recipe.placed(error) from None
        identity = identity | started | {"graph": content_hash(graph_text(graph))}
        state = load_checkpoint(directory / CHECKPOINT_FILE)
        if state is not None:
            check_identity(directory / CHECKPOINT_FILE, state["identity"], identity)
        save_graph(graph, directory / GRAPH_FILE)
        optimizer = make_optimizer(settings, recipe.model, model)
        hung.applied.attach(optimizer)
        # Dropout draws from here on, whatever building and capturing drew.
        torch.manual_seed(settings.seed + 1)
        timetable = Timetable.of(recipe.model, hung.applied.stretches, epochs=settings.epochs, steps_per_epoch=batches)
        run = cls(
            settings=settings,
            recipe=recipe,
            data=data,
            directory=directory,
            version=version,
            device=device,
            model=model,
            hung=hung,
            narrowing=narrowing,
            optimizer=optimizer,
            scaler=torch.amp.GradScaler(device.type, enabled=settings.precision == "fp16"),
            timetable=timetable,
            cycles=Cycles(timetable, model, hung.applied, optimizer),
            identity=identity,
        )
        if state is not None:
            run._restore(state)
        return run

    @property
    def applied(self) -> AppliedRecipe:
        """The recipe at work on the model as it is."""
        return self.hung.applied

    @property
    def tasks(self) -> Tasks:
        """What the model is trained for."""
        return self.hung.tasks

    @property
    def network(self) -> Callable[[Tensor], Any]:
        """What the next step trains: the model, or a network within it."""
        return self.model if self.narrowing is None else self.narrowing.network(self.applied.phase.name, self.step)

    # The loop -------------------------------------------------------------------------------------------------------

    def finish(self, progress: Progress, epoch_done: EpochDone) -> RunSummary:
        """Train to the end and write the summary."""
        saved = time.monotonic()
        with RunLog(self.directory / LOG_FILE, after=self.step) as log:
            while self.step < self.timetable.steps:
                self.cycles.before_step(self.step)
                self.tasks.before_step(self.step)
                self._narrow()
                place = self.timetable.place(self.step)
                began = time.perf_counter()
                loss = self._train_step(place, log)
                self.seconds += time.perf_counter() - began
                progress(self._told(place, loss), self.step, self.timetable.steps)
                self.tasks.after_step(self.step)
                if place.ends_epoch:
                    self._end_epoch(place)
                if place.ends_epoch or time.monotonic() - saved > CHECKPOINT_SECONDS:
                    self._save(log)
                    saved = time.monotonic()
                if place.ends_epoch:
                    epoch_done(self.epochs[-1])
        return self._summarise()

    def _narrow(self) -> None:
        """Make the network what the phase of the next update has."""
        try:
            self.hung = self.hung if self.narrowing is None else self.narrowing.before_step(self.hung, self.optimizer)
        except ConfigError as error:
            raise self.recipe.placed(error) from None

    def _told(self, place: Place, loss: float) -> str:
        name = f"{place.training.name}, " if place.training.name else ""
        told = f"{name}epoch {place.epoch + 1} of {self.settings.epochs}, loss {loss:.3f}"
        return f"{told}, validation {self.epochs[-1].validation_accuracy:.1%}" if self.epochs else told

    def _train_step(self, place: Place, log: RunLog) -> float:
        rate = rate_at(self.settings, self.timetable, place)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        phase, epoch = self.applied.phase, len(self.epochs) + 1
        self.hung.rules.let_learn(phase)
        inputs, targets = (torch.from_numpy(each).to(self.device) for each in self.hung.rules.batch(phase, place))
        self.optimizer.zero_grad()
        # In the last step of an epoch, with an eye on the non-zero elements of every layer.
        with watched(self.applied, epoch, self.densities) if place.ends_epoch else nullcontext():
            parts = zip(inputs.chunk(phase.accumulate), targets.chunk(phase.accumulate), strict=True)
            value = sum_in_order(self._gradients(*part, phase.accumulate, epoch, rate) for part in parts)
        self._update() if phase.pass_ == "training" else self.applied.pass_over()
        self.step += 1
        self.loss_sum += value
        log.add(
            step=self.step,
            epoch=epoch,
            phase=phase.name or phase.kind,
            learning_rate=rate,
            loss=value,
            loss_scale=self._loss_scale,
        )
        return value

    def _gradients(self, inputs: Tensor, targets: Tensor, parts: int, epoch: int, rate: float) -> float:
        """Add up the gradients of one of so many micro-batches; its share of the loss."""
        logits, labels = self._logits(inputs, targets)
        own = among(logits, self.tasks.classes[self.tasks.at])
        loss = self.applied.activations.penalised(functional.cross_entropy(own, labels)) / parts
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(
                f"step {self.step + 1} (epoch {epoch}): got a loss of {value}, need a finite one; "
                f"try a learning rate below {rate:.3g}{self._precision_hint()}"
            )
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        return value

    def _logits(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """What the model says, and what is right; in the first step a model that cannot say it is told."""
        if self.step:
            return classes_first(self.network(inputs), targets)
        try:
            logits, labels = classes_first(self.network(inputs), targets)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            told = str(error).strip().partition("\n")[0]
            raise ConfigError(
                f"{self.settings.model}: got {type(error).__name__} in its first step: {told}, need a model that takes "
                f"batches of {self.data.input_shape}; try another --batch"
            ) from error
        # A vocabulary may hold symbols that no position of these rows has for its target.
        outputs, classes = logits.shape[-1], self.data.classes
        if outputs < classes if self.data.kind == "sequences" else outputs != classes:
            raise ConfigError(
                f"{self.settings.model}: got {outputs} outputs, need {classes}, one for each class of {self.data.name}"
            )
        return logits, labels

    def _update(self) -> None:
        """One update; left out, and counted, when a gradient overflowed FP16."""
        before = self.applied.step
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.applied.step == before:
            self.skipped += 1
            if self._loss_scale < _SMALLEST_LOSS_SCALE:
                raise TrainingError(
                    f"step {self.step + 1}: got gradients that overflow at every loss scale, need finite ones; try "
                    f"a smaller learning rate{self._precision_hint()}"
                )

    @property
    def _loss_scale(self) -> float:
        return float(self.scaler.get_scale())

    def _precision_hint(self) -> str:
        return "" if self.settings.precision == "fp32" else ", or --precision fp32"

    def _end_epoch(self, place: Place) -> None:
        measured, epoch = self._measured("validation"), len(self.epochs) + 1
        of_epoch = [row for row in self.densities if row.epoch == epoch and row.mask_churn is not None]
        churned = [(self.applied.master(row.module).numel(), row.mask_churn or 0.0) for row in of_epoch]
        weights, changed = sum(size for size, _ in churned), sum_in_order(size * share for size, share in churned)
        self.epochs.append(
            EpochResult(
                epoch=epoch,
                step=self.step,
                learning_rate=rate_at(self.settings, self.timetable, place),
                train_loss=self.loss_sum / (place.done + 1),
                validation_loss=measured.loss,
                validation_accuracy=measured.accuracy,
                mask_churn=changed / weights if weights else None,
                phase=place.training.name or self.applied.phase.kind,
                skipped_steps=self.skipped,
            )
        )
        self.loss_sum, self.skipped = 0.0, 0
        write_densities(self.directory / DENSITIES_FILE, self.densities)
        if place.ends_training:
            averaged = self.cycles.end(place.training, measured)
            self.cycles.close(place.training, self._measured("validation") if averaged else measured)

    def _measured(self, split: str) -> Evaluation:
        measured = self.tasks.evaluate_now(split)
        if not math.isfinite(measured.loss):
            raise TrainingError(
                f"step {self.step}: got a loss of {measured.loss} on the {split} split, need a finite one; "
                f"try a smaller learning rate{self._precision_hint()}"
            )
        return measured

    # Checkpoints ----------------------------------------------------------------------------------------------------

    def _save(self, log: RunLog) -> None:
        log.flush()
        save_checkpoint(
            self.directory / CHECKPOINT_FILE,
            {
                "identity": self.identity,
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "applied": self.applied.state_dict(),
                "scaler": self.scaler.state_dict(),
                "random": torch.get_rng_state(),
                "step": self.step,
                "loss_sum": self.loss_sum,
                "skipped": self.skipped,
                "seconds": self.seconds,
                "epochs": [asdict(each) for each in self.epochs],
                "densities": [asdict(each) for each in self.densities],
                **({"tasks": self.tasks.state_dict()} if self.recipe.model.tasks else {}),
                **({} if self.narrowing is None else {"narrowing": self.narrowing.state_dict()}),
                **({"cycles": self.cycles.state_dict()} if self.timetable.repeats is not None else {}),
                **({"device_random": device_random_state(self.device)} if self.device.type == "cuda" else {}),
            },
        )

    def _restore(self, state: dict[str, Any]) -> None:
        with understood(self.directory / CHECKPOINT_FILE):
            self._take(state)
            ended = self.timetable.epochs_before(self.step)
            if not 0 <= self.step <= self.timetable.steps or len(self.epochs) != ended:
                raise ValueError(f"{len(self.epochs)} epochs after {self.step} steps")

    def _take(self, state: dict[str, Any]) -> None:
        if self.narrowing is not None:
            self.hung = self.narrowing.restored(state["narrowing"], self.hung, self.optimizer)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.applied.load_state_dict(state["applied"])
        self.scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["random"])
        if self.device.type == "cuda":
            set_device_random_state(state["device_random"], self.device)
        if self.timetable.repeats is not None:
            self.cycles.load_state_dict(state["cycles"])
        if self.recipe.model.tasks:
            self.tasks.load_state_dict(state["tasks"])
        self.step, self.skipped = operator.index(state["step"]), operator.index(state["skipped"])
        self.loss_sum, self.seconds = state["loss_sum"] + 0.0, state["seconds"] + 0.0
        self.epochs = [EpochResult(**each) for each in state["epochs"]]
        self.densities = [LayerDensity(**each) for each in state["densities"]]

    # The end --------------------------------------------------------------------------------------------------------

    def _summarise(self) -> RunSummary:
        test = self._measured("test")
        last = self.cycles.results[-1] if self.cycles.results else self.epochs[-1]
        summary = RunSummary(
            settings=self.settings,
            recipe_name=self.recipe.model.name,
            recipe_sha256=self.recipe.sha256,
            data_sha256=self.data.sha256,
            parameters=sum(parameter.numel() for parameter in self.model.parameters()),
            steps_per_epoch=self.timetable.steps_per_epoch,
            steps=self.timetable.steps,
            switch_step=self.applied.switch_step,
            test_accuracy=test.accuracy,
            test_loss=test.loss,
            validation_accuracy=last.validation_accuracy,
            validation_loss=last.validation_loss,
            epochs=tuple(self.epochs),
            patterns=patterns_of(self.applied),
            dense_reasons=self.applied.dense_reasons,
            weights_sha256=weights_hash(self.model),
            train_seconds=self.seconds,
            **machine(self.device, self.version),
            cycles=tuple(self.cycles.results),
            tasks=tuple(self.tasks.results),
            left_over=self.applied.left_over,
            sub_networks=() if self.narrowing is None else self.narrowing.sub_networks.results(self.data, self.device),
        )
        if self.recipe.model.tasks:
            save_state(self.directory / TASKS_FILE, self.tasks.networks())
        write_end(self.directory, summary, self.model, self.applied)
        return summary
