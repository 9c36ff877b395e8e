"""A design space: what its axes are, which designs it holds, and what each of them is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from random import Random
from typing import Any

from ....accel.design_fields import Target, as_value
from ....accel.specification import Hardware
from ....configs.errors import ConfigError
from ....configs.formats import parse_format
from ....configs.library import content_hash
from ....configs.schema import Loaded
from ....configs.strict_yaml import KeyPath, dotted
from ....training.recipes.declaration import Recipe
from ...options import DECLARED, OF_PASSES, SWEPT
from .accuracy import Accuracy
from .axis_values import Axis, Settings, Value
from .checking import axis_forms, folder_of
from .dependences import needed_by
from .enumeration import Enumeration
from .expressions import Expression, NoValueError
from .fields import OPTIONS, target_of
from .figures import ACCURACY, FIGURES, KNOWN_BEFORE, hardware_figures
from .inputs import Inputs
from .making import Maker
from .part_figures import PART_FIGURES
from .point import Figures, Point
from .point_names import PointNames, Rule, Vocabulary
from .sweep import Sweep

__all__ = ["Axis", "Objective", "Settings", "Space", "Value"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What is sought.

    Attributes:
        figure: see ``FIGURES``.
        maximise: whether more is better.
    """

    figure: str
    maximise: bool


class Space:
    """The designs of a sweep.

    Small to pickle: what it has computed stays behind, and the files that it read go along, but for shipped workloads.

    Attributes:
        sweep: as the file has it.
        sha256: of the resolved sweep.
        objectives: what is sought.
        axes: those that designs are chosen by, then the scenarios'.
    """

    def __init__(self, loaded: Loaded[Sweep], *, version: str = "") -> None:
        """Of a sweep that was loaded, and so has no fault; ``version``, of bisparse, is what keys depend on."""
        self.loaded = loaded
        self.sweep = loaded.model
        self.sha256 = loaded.sha256
        self.version = version
        self._compile(Inputs(folder_of(loaded.document)))

    def __getstate__(self) -> dict[str, Any]:
        # Read here, where the sweep is.
        accuracy = self.accuracy
        return {"loaded": self.loaded, "version": self.version, "inputs": self._inputs, "accuracy": accuracy}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.loaded, self.version = state["loaded"], state["version"]
        self.sweep, self.sha256 = self.loaded.model, self.loaded.sha256
        self._compile(state["inputs"])
        self.accuracy = state["accuracy"]

    def _compile(self, inputs: Inputs) -> None:
        sweep = self.sweep
        self._inputs = inputs
        self.objectives = tuple(Objective(figure=goal.figure, maximise=goal.maximise is not None)
                                for goal in sweep.objectives)  # fmt: skip
        targets: dict[KeyPath, Target] = {
            (kind, name): target_of(name)
            for kind, named in (("axes", sweep.axes), ("scenarios", sweep.scenarios))
            for name in named
        }
        forms = axis_forms(self.loaded.document, targets)
        self.axes = tuple(_axis(path, forms[path], target) for path, target in targets.items())
        self._design_axes = tuple(axis for axis in self.axes if not axis.scenario)
        self._vocabulary = Vocabulary(
            base=sweep.base,
            axes={axis.name: axis for axis in self.axes},
            derived={
                name: Rule(target=target_of(name), expression=Expression.parse(text))
                for name, text in sweep.derived.items()
            },
            inputs=inputs,
        )
        self._conditions = {axis.name: Expression.parse(axis.when) for axis in self.axes if axis.when is not None}
        self._constraints = tuple(Expression.parse(text) for text in sweep.constraints)
        self._enumeration = Enumeration(self._design_axes, self._needs(), self._applies)
        self._maker = Maker(sweep, self.loaded.document, self._vocabulary, self.place_of)

    # What the space holds --------------------------------------------------------------------------------------------

    @cached_property
    def designs(self) -> int:
        """How many designs there are before constraints, each counted once."""
        return self._enumeration.count()[0]

    @cached_property
    def unused(self) -> frozenset[str]:
        """Axes that apply to no design."""
        return self._enumeration.count()[1]

    @property
    def size(self) -> int:
        """How many runs: designs times scenarios, before constraints."""
        return self.designs * len(self.scenarios())

    def choices(self) -> Iterator[Settings]:
        """Every design, as the values of the axes that apply: the last axis fastest, made as it is asked for."""
        return iter(self._enumeration)

    def scenarios(self) -> tuple[Settings, ...]:
        """What every design is judged over; one without settings when the sweep says nothing."""
        return self._scenarios

    @cached_property
    def _scenarios(self) -> tuple[Settings, ...]:
        axes = [axis for axis in self.axes if axis.scenario]
        return tuple(Enumeration(axes, {}, self._applies))

    def settings(self, indices: Sequence[int]) -> Settings:
        """The design that a combination of values gives: indices into the values of each design axis."""
        return self._enumeration.settings(indices)

    def neighbours(self, draw: Random) -> Iterator[Settings]:
        """Every design, in order, from one by chance on, and then those before it; nothing is gone through for it."""
        indices = [draw.randrange(len(axis.values)) for axis in self._design_axes]
        return chain(self._enumeration.beginning_at(indices), self.choices())

    def drawn(self, draw: Random) -> Settings | None:
        """A design by chance, each as likely as any other; None at times, where axes have conditions."""
        return self._enumeration.drawn(draw)

    def recipes(self) -> tuple[Loaded[Recipe], ...]:
        """Recipes that its points have; ``ConfigError`` when one is wrong."""
        axis = next((each for each in self.axes if each.name == "recipe"), None)
        chosen: list[Settings] = [{}] if axis is None else [{"recipe": value} for value in axis.values]
        return tuple(self._inputs.recipe(self._vocabulary.named("recipe", settings)) for settings in chosen)

    # What a point is -------------------------------------------------------------------------------------------------

    def point(self, settings: Settings) -> Point:
        """What a point is.

        Args:
            settings: of a design (its axes but the scenarios) and a scenario.

        Raises:
            ConfigError: there is no such point; the message says why.
        """
        names = PointNames(self._vocabulary, settings)
        recipe = self._inputs.recipe(self._vocabulary.named("recipe", settings))
        ratio = names["sparsity"]
        if not isinstance(ratio, str):
            raise ConfigError(f"sparsity: got {ratio}, need N:M such as 2:8")
        point = Point(
            hardware=self._maker.hardware(names, settings),
            workload=self._inputs.workload(self._vocabulary.named("workload", settings)),
            recipe=recipe,
            pattern=parse_format(ratio),
            options=self._maker.options(names, settings),
        )
        if self.accuracy is not None:
            # Told before anything is simulated.
            self.accuracy.of_point(point.recipe, point.pattern)
        return point

    def base_point(self, scenario: Settings) -> Point:
        """The base as its files have it, with nothing derived and no axis moved, under a scenario."""
        sweep, named = self.sweep, self._vocabulary.named
        batch = scenario.get("batch", sweep.base.batch)
        options = tuple((name, value) for name, value in scenario.items() if name.startswith(OPTIONS))
        return Point(
            hardware=self._inputs.hardware(named("hardware", {})),
            workload=self._inputs.workload(named("workload", scenario)),
            recipe=self._inputs.recipe(named("recipe", scenario)),
            pattern=parse_format(named("sparsity", scenario)),
            options=self._maker.made_options(batch, options),
        )

    def hardware(self, settings: Settings) -> Loaded[Hardware]:
        """The hardware of a point; ``ConfigError`` as for ``point``."""
        return self._maker.hardware(PointNames(self._vocabulary, settings), settings)

    def supplied(self, point: Point) -> Figures:
        """The figures that no simulation gives, where the sweep speaks of them.

        Those of FPGA parts follow from the hardware; ``accuracy`` a training run gives.

        They are of the sweep, not of the point: a key does not depend on them.

        Raises:
            ConfigError: the training run did not train this recipe at this ratio.
        """
        hardware = point.hardware.model
        found = {name: figure(hardware) for name, figure in self._part_figures.items()}
        study = self.accuracy
        return found if study is None else {**found, ACCURACY: study.of_point(point.recipe, point.pattern)}

    @cached_property
    def supplied_figures(self) -> tuple[str, ...]:
        """Names of the figures that ``supplied`` gives."""
        return (*self._part_figures, *([ACCURACY] if self.sweep.accuracy is not None else []))

    @cached_property
    def _part_figures(self) -> dict[str, Callable[[Hardware], int | float]]:
        """Formulas of those of FPGA parts that constraints and objectives speak of."""
        spoken = {name for constraint in self._constraints for name in constraint.names}
        spoken |= {goal.figure for goal in self.objectives}
        formulas = {name: PART_FIGURES[name].of_hardware for name in PART_FIGURES if name in spoken}
        return {name: formula for name, formula in formulas.items() if formula is not None}

    @cached_property
    def accuracy(self) -> Accuracy | None:
        """The study that supplies accuracy, if any."""
        directory = self.sweep.accuracy
        return None if directory is None else Accuracy.of(self._inputs.folder / directory)

    def key(self, point: Point, version: str | None = None) -> str:
        """A hash of everything that determines the figures of a point.

        What the sweep says of axes, constraints, objectives and strategy is not in it: a point has its key in any.

        Args:
            point: of this space.
            version: of bisparse; the space's own when not given.
        """
        try:
            table = self._inputs.energy_table(point.hardware)
        except ConfigError as error:
            # The reason is the result.
            table = str(error)
        options = {name: getattr(point.options, name) for name in SWEPT}
        for name in OF_PASSES:
            # Runs that were stored before there were other passes keep their keys.
            if options[name] == DECLARED[name].default:
                del options[name]
        options["batch"] = point.options.batch or point.workload.graph.default_batch
        return content_hash(
            {
                "hardware": point.hardware.sha256,
                "energy_table": table,
                "workload": point.workload.sha256,
                "recipe": point.recipe.sha256,
                # What prunes nothing has no ratio.
                "sparsity": str(point.pattern) if point.recipe.model.prunes else "dense",
                "options": options,
                "version": self.version if version is None else version,
                "figures": _FIGURES_SHA256,
            }
        )

    def violated(self, settings: Settings, figures: Figures | None) -> str:
        """The first constraint that a design fails, with what it has of the names in it; empty when it fails none.

        Args:
            settings: of the design, without scenarios.
            figures: combined over scenarios; None before it is evaluated, when only those constraints count that need
                none but what the hardware itself tells (``pe_count``, ``on_chip_bytes``, ...).
        """
        names = PointNames(
            self._vocabulary, settings, self._hardware_figure(settings) if figures is None else figures.get
        )
        for number, constraint in enumerate(self._constraints):
            if figures is None and any(name in _AFTER for name in constraint.names):
                continue
            try:
                if constraint.holds(names):
                    continue
                got = ", ".join(f"{name} {_shown(names[name])}" for name in constraint.names)
            except NoValueError:
                # It speaks of an axis that this design does not have.
                continue
            except ConfigError as error:
                return f"{self.place_of('constraints', number)}: {error}"
            return f"{self.place_of('constraints', number)}: got {got}, need {constraint.text}"
        return ""

    def broken_constraints(self, settings: Settings) -> dict[int, str]:
        """Constraints that cannot be judged, by number, and why; every figure stands at 1 for the trial."""
        names = PointNames(
            self._vocabulary,
            settings,
            lambda name: 1.0 if name in FIGURES or name in PART_FIGURES or name == ACCURACY else None,
        )
        broken = {}
        for number, constraint in enumerate(self._constraints):
            try:
                constraint.holds(names)
            except NoValueError:
                continue
            except ConfigError as error:
                broken[number] = str(error)
        return broken

    def check_energy(self, point: Point) -> None:
        """See that a point's energy table prices it; ``ConfigError`` when it does not."""
        self._inputs.energy_table(point.hardware)

    def place_of(self, *path: str | int) -> str:
        """A value of the sweep as errors name it: file, line and path."""
        place = self.loaded.document.place_of(path)
        return f"{place if self.loaded.sources else place.file}: {dotted(path)}"

    # How -------------------------------------------------------------------------------------------------------------

    def _hardware_figure(self, settings: Settings) -> Callable[[str], Value | None]:
        def figure(name: str) -> Value | None:
            try:
                hardware = self.hardware(settings).model
                if name in self._part_figures:
                    return self._part_figures[name](hardware)
                return hardware_figures(hardware).get(name)
            except ConfigError:
                # There is no such design, which is told when it is asked for.
                return None

        return figure

    # Conditions ------------------------------------------------------------------------------------------------------

    def _applies(self, name: str, settings: Settings) -> bool:
        try:
            return self._conditions[name].holds(PointNames(self._vocabulary, settings))
        except NoValueError:
            # It asks for an axis that does not apply itself.
            return False
        except ConfigError as error:
            raise ConfigError(f"{self.place_of('axes', name, 'when')}: {error}") from None

    def _needs(self) -> dict[str, frozenset[str]]:
        """Of each conditional axis, the axes that its condition depends on."""
        derived = self._vocabulary.derived
        mentioned = {name: condition.names for name, condition in self._conditions.items()}
        mentioned |= {name: rule.expression.names for name, rule in derived.items()}
        always = [axis.name for axis in self._design_axes if axis.when is None]
        every = needed_by(mentioned, [*(axis.name for axis in self._design_axes), *derived], always)
        own = {axis.name for axis in self._design_axes}
        return {name: every[name] & own for name in self._conditions}


_FIGURES_SHA256 = content_hash(sorted(FIGURES))


_AFTER = {*FIGURES, ACCURACY} - {*KNOWN_BEFORE}
"""Figures that are known once a design is evaluated."""


def _axis(path: KeyPath, form: Any, target: Target) -> Axis:
    values = form if isinstance(form, list) else form.spread(whole=target.whole)
    plain = (as_value(value) for value in values)
    return Axis(
        name=target.name,
        values=tuple(value for value in plain if value is not None),
        when=None if isinstance(form, list) else form.when,
        scenario=path[0] == "scenarios",
    )


def _shown(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
