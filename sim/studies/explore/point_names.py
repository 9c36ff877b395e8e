"""The names of one point of a space and their values: axes, what is derived from them, fields, figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ....accel.design_fields import MISSING, Target, as_value, value_at
from ....accel.specification import PARTS, Hardware
from ....configs.errors import ConfigError
from ....configs.formats import parse_format
from ....configs.pattern import Pattern
from ....configs.schema import Loaded
from ...options import Options
from .axis_values import Axis, Settings, Value, is_free
from .expressions import Expression, NoValueError
from .fields import HARDWARE, OPTIONS
from .inputs import Inputs
from .sweep import Base

OF_SPARSITY = ("sparsity.kept", "sparsity.group")
"""Names that a ratio has besides its own."""


_DEFAULTS = Options()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A derived value.

    Attributes:
        target: what it sets.
        expression: what it is.
    """

    target: Target
    expression: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What gives names their values, whatever the point.

    Attributes:
        base: what every point has unless an axis says otherwise.
        axes: by name, scenarios among them.
        derived: by name.
        inputs: the files.
    """

    base: Base
    axes: Mapping[str, Axis]
    derived: Mapping[str, Rule]
    inputs: Inputs

    def named(self, kind: str, settings: Mapping[str, Value]) -> str:
        """The name of a point's hardware, workload, recipe or ratio: its own, the base's, else an axis's first."""
        if kind in settings:
            return str(settings[kind])
        given = getattr(self.base, kind)
        return str(self.axes[kind].values[0]) if given is None else str(given)


class PointNames:
    """The names of one point; looked up when asked for, derived ones computed once.

    A name whose axis does not apply has the base's value; where there is none, ``NoValueError``.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        settings: Settings,
        figures: Callable[[str], Value | None] = lambda name: None,
    ) -> None:
        """Of these settings; ``figures`` gives the value of a figure, or None."""
        self._all = vocabulary
        self._settings = settings
        self._figures = figures
        self._derived: dict[str, Value | NoValueError] = {}

    def __getitem__(self, name: str) -> Value:
        """The value of a name.

        Raises:
            ConfigError: it has none here.
        """
        if name in self._settings:
            return self._settings[name]
        if name in self._all.derived:
            try:
                return self.derived(name)
            except NoValueError:
                if is_free(name):
                    raise
        elif name in self._all.axes and is_free(name):
            raise NoValueError(f"got {name}, an axis that does not apply, need one that does")
        return self._given(name)

    def derived(self, name: str) -> Value:
        """A derived value, in the form of the field that it sets.

        Raises:
            NoValueError: it follows from an axis that does not apply.
            ConfigError: it cannot be computed, or is no value of the field.
        """
        if name not in self._derived:
            rule = self._all.derived[name]
            try:
                self._derived[name] = fitted(rule, rule.expression.evaluate(self))
            except NoValueError as error:
                self._derived[name] = error
        value = self._derived[name]
        if isinstance(value, NoValueError):
            raise value
        return value

    def _given(self, name: str) -> Value:
        if name.startswith(HARDWARE):
            return self._field(name)
        if name.startswith(OPTIONS):
            return self._option(name.removeprefix(OPTIONS))
        if name in OF_SPARSITY:
            pattern = parse_format(str(self["sparsity"]))
            if not isinstance(pattern, Pattern):
                raise NoValueError(f"got {name} of {pattern}, which has no N and no M, need N:M")
            return pattern.kept if name == OF_SPARSITY[0] else pattern.group
        if name == "batch":
            own = self._all.inputs.workload(self._all.named("workload", self._settings)).graph.default_batch
            return self._all.base.batch or own
        if name in ("hardware", "workload", "recipe", "sparsity"):
            return self._all.named(name, self._settings)
        figure = self._figures(name)
        if figure is None:
            raise NoValueError(f"got {name}, which is not known here, need a name that is")
        return figure

    def _field(self, name: str) -> Value:
        path = tuple(name.split("."))[1:]
        holder: Any = self._hardware.model
        for outer in PARTS:
            part = f"{HARDWARE}{'.'.join(outer)}"
            if path[: len(outer)] == outer and part in self._settings:
                holder, path = self._all.inputs.dram(str(self._settings[part])).model, path[len(outer) :]
        found = value_at(holder, path)
        value = None if found is MISSING else as_value(found)
        if value is None:
            raise NoValueError(f"got {name}, which {self._hardware.model.name} does not have, need a field that it has")
        return value

    def _option(self, option: str) -> Value:
        found = self._all.base.options.get(option, getattr(_DEFAULTS, option))
        if found is None:
            # What is left open is what the design says.
            section = "tensor_engine" if option == "dataflows" else "policy"
            return self[f"{HARDWARE}{section}.{option}"]
        value = as_value(found)
        assert value is not None, "options are checked when a sweep is loaded"
        return value

    @property
    def _hardware(self) -> Loaded[Hardware]:
        return self._all.inputs.hardware(self._all.named("hardware", self._settings))


def fitted(rule: Rule, value: Value) -> Value:
    """A computed value in the form of the field that it sets.

    Raises:
        ConfigError: the field needs an integer, and the value is no whole number.
    """
    target = rule.target
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if target.whole:
        if not math.isclose(value, round(value), rel_tol=1e-9, abs_tol=1e-9):
            hint = f"try floor({rule.expression.text})"
            raise ConfigError(f"got {value:g}, need an integer: {target.name} is {rule.expression.text}; {hint}")
        return round(value)
    return float(value) if target.number and not is_free(target.name) else value
