"""What is wrong with a sweep: its structure, names, values, files, expressions, and what depends on what.

The checks look into the plain document, whatever state it is in, so that one fault does not hide the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from graphlib import CycleError
from pathlib import Path
from typing import Any

from pydantic import Field, create_model

from ....accel.design_fields import MISSING, Target, as_value, value_at
from ....accel.specification import PARTS
from ....configs.complaints import shown
from ....configs.errors import ConfigError
from ....configs.near import near
from ....configs.schema import validate
from ....configs.strict_yaml import Document, KeyPath, dotted
from ...options import Options
from .accuracy import Accuracy
from .axis_values import FORMS, SINGLE, form_of, is_free, repeated
from .dependences import needed_by
from .expressions import CONSTANTS, FUNCTIONS, Expression
from .fields import HARDWARE, OPTIONS, all_names, target_of
from .figures import ACCURACY, FIGURES
from .inputs import Inputs
from .part_figures import PART_FIGURES
from .point_names import OF_SPARSITY
from .sweep import Sweep


def folder_of(document: Document) -> Path:
    """Where the paths in a sweep start."""
    return Path(document.file).parent


def axis_forms(document: Document, targets: Mapping[KeyPath, Target]) -> dict[KeyPath, Any]:
    """The axes' entries with their values in the units of their fields.

    Args:
        document: of the sweep.
        targets: what each axis sets, by its place in the document.

    Raises:
        ConfigError: a line for each value of the wrong type, or out of the field's range.
    """
    sections: dict[str, Any] = {}
    for kind in ("axes", "scenarios"):
        written = {path: target for path, target in targets.items() if path[0] == kind}
        entries: dict[str, Any] = {
            f"entry_{number}": (
                form_of(document.data[kind][path[1]], target.of_one, number=target.number),
                Field(alias=str(path[1])),
            )
            for number, (path, target) in enumerate(written.items())
        }
        sections[kind] = (create_model(kind.title(), **entries), Field(default=None))
    found = validate(document, create_model("Axes", **sections))
    return {
        (kind, str(field.alias)): getattr(getattr(found, kind), name)
        for kind in sections
        if getattr(found, kind) is not None
        for name, field in type(getattr(found, kind)).model_fields.items()
    }


class Check:
    """Looks for faults in a document, whatever state it is in."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.lines: list[str] = []
        self.inputs = Inputs(folder_of(document))
        data = document.data if isinstance(document.data, dict) else {}
        self.base = _mapping(data, "base")
        self.axes, self.scenarios = _mapping(data, "axes"), _mapping(data, "scenarios")
        self.derived = _mapping(data, "derived")
        self.constraints = [each for each in _list(data, "constraints") if isinstance(each, str)]
        self.figures = {*FIGURES, *PART_FIGURES, *([ACCURACY] if data.get("accuracy") is not None else [])}
        self.targets: dict[KeyPath, Target] = {}
        self.expressions: dict[KeyPath, Expression] = {}

    def fault(self, path: KeyPath, message: str) -> None:
        """Note a fault of the value at a path."""
        self.lines.append(f"{self.document.place_of(path)}: {dotted(path) or 'file'}: {message}")

    def attempt(self, path: KeyPath, act: Callable[[], Any]) -> Any:
        """What ``act`` returns; None with a fault where it fails."""
        try:
            return act()
        except ConfigError as error:
            # What complains of a name says its kind, which stands in the path already; a file says its own place.
            for line in str(error).split("\n"):
                self.fault(path, re.sub(r"^\w+: got ", "got ", line))
            return None

    def run(self) -> Sweep | None:
        """Everything; the model when its structure holds."""
        model = self._model(lambda: validate(self.document, Sweep))
        self._find_targets()
        self._check_files()
        self._check_values()
        self._check_options()
        self._read_expressions()
        self._check_dependences()
        self._check_use()
        self._check_figures()
        return model if isinstance(model, Sweep) else None

    def _model(self, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except ConfigError as error:
            self.lines.extend(str(error).split("\n"))
            return None

    # Names -----------------------------------------------------------------------------------------------------------

    def _find_targets(self) -> None:
        for kind, named in (("axes", self.axes), ("scenarios", self.scenarios), ("derived", self.derived)):
            for name in named:
                self._find_target((kind, name), kind, name)
        for name in self.derived:
            if name in self.axes or name in self.scenarios:
                self.fault(("derived", name), f"got {name}, which is an axis as well, need one of them")
        for name in self.scenarios:
            if name in self.axes:
                self.fault(("scenarios", name), f"got {name}, which is among axes as well, need it once")

    def _find_target(self, path: KeyPath, kind: str, name: str) -> None:
        target = self.attempt(path, lambda: target_of(name))
        if not isinstance(target, Target):
            return
        if is_free(name) and (name in CONSTANTS or name in FUNCTIONS or name in FIGURES or name == ACCURACY):
            what = "a figure" if name in FIGURES or name == ACCURACY else "known to every expression"
            self.fault(path, f"got {name}, which is {what}, need another name for a variable")
        elif kind == "scenarios" and (name == "hardware" or name.startswith(HARDWARE)):
            self.fault(path, f"got {name}, need what one design can be judged over; try it among axes")
        elif kind == "derived" and (name in ("hardware", "workload", "recipe") or target.part):
            self.fault(path, f"got {name}, which is a file, need a field; try an axis")
        elif name.startswith(HARDWARE) and not self._exists(name):
            parts = [
                part for part in (f"{HARDWARE}{'.'.join(outer)}" for outer in PARTS) if name.startswith(f"{part}.")
            ]
            hint = f", or an axis {parts[0]}" if parts else near(name, self._hardware_names())
            self.fault(path, f"got {name}, need a field that the base has{hint}")
        else:
            self.targets[path] = target

    def _exists(self, name: str) -> bool:
        """Whether the designs have what holds a field: mappings' entries and optional sections only files tell."""
        above = tuple(name.split("."))[1:-1]
        for outer in PARTS:
            if above[: len(outer)] == outer and f"{HARDWARE}{'.'.join(outer)}" in self.axes:
                return True
        designs = self._designs()
        return not designs or any(value_at(each, above) not in (MISSING, None) for each in designs)

    def _designs(self) -> list[Any]:
        found = []
        for _, name in self._named("hardware"):
            try:
                found.append(self.inputs.hardware(name).model)
            except ConfigError:
                continue
        return found

    def _named(self, kind: str) -> list[tuple[KeyPath, str]]:
        """The files of one kind that the sweep names, and where."""
        names: list[tuple[KeyPath, Any]] = [(("base", kind), self.base.get(kind))]
        for section, axes in (("axes", self.axes), ("scenarios", self.scenarios)):
            entry = axes.get(kind)
            path: KeyPath = (section, kind)
            if isinstance(entry, dict):
                entry, path = entry.get("values"), (*path, "values")
            names += [((*path, number), name) for number, name in enumerate(entry if isinstance(entry, list) else [])]
        return [(path, name) for path, name in names if isinstance(name, str)]

    def _hardware_names(self) -> list[str]:
        keys = []
        for design in self._designs():
            for kind in design.vector_engine.operations:
                keys.append(f"{HARDWARE}vector_engine.operations.{kind}.cycles_per_element")
        return [*all_names(), *keys]

    # Files and values ------------------------------------------------------------------------------------------------

    def _check_files(self) -> None:
        reads: dict[str, Callable[[str], Any]] = {
            "hardware": self.inputs.hardware,
            "workload": self.inputs.workload,
            "recipe": self.inputs.recipe,
        }
        for outer, kind in PARTS.items():
            reads[f"{HARDWARE}{'.'.join(outer)}"] = getattr(self.inputs, kind)
        for kind, read in reads.items():
            for path, name in self._named(kind):
                self.attempt(path, lambda name=name, read=read: read(name))  # type: ignore[misc]
        for kind in ("hardware", "workload", "recipe", "sparsity"):
            if self.base.get(kind) is None and not {kind} & ({*self.axes} | {*self.scenarios} | {*self.derived}):
                what = "N:M" if kind == "sparsity" else "a name or a path"
                self.fault(("base", kind), f"got nothing, need {what}, or an axis {kind}")
        directory = self.document.data.get("accuracy") if isinstance(self.document.data, dict) else None
        if isinstance(directory, str):
            self.attempt(("accuracy",), lambda: Accuracy.of(folder_of(self.document) / directory))

    def _check_values(self) -> None:
        written = {path: target for path, target in self.targets.items() if path[0] != "derived"}
        for path, target in list(written.items()):
            entry = self.document.data[path[0]][path[1]]
            if isinstance(entry, dict) and not target.number and "values" not in entry and set(entry) & set(FORMS):
                self.fault(path, f"got a range, need values one by one: {path[1]} is no number; try a list")
                del written[path]
            elif not isinstance(entry, dict | list):
                self.fault(path, f"got {shown(entry)}, need a list or a range; try [{entry}]")
                del written[path]
            if path[0] == "scenarios" and isinstance(entry, dict) and "when" in entry:
                self.fault((*path, "when"), "got a condition, need none: every design is judged over all scenarios")
        for path, target in written.items():
            self._check_axis(path, target)

    def _check_axis(self, path: KeyPath, target: Target) -> None:
        # One by one, so that what is wrong with one axis does not hide the others.
        forms = self._model(lambda: axis_forms(self.document, {path: target}))
        if forms is not None:
            form = forms[path]
            values = form if isinstance(form, list) else form.spread(whole=False)
            plain = (as_value(value) for value in values)
            twice = repeated([value for value in plain if value is not None])
            if twice is not None:
                self.fault(path, f"got {twice} twice, need each value once")

    def _check_options(self) -> None:
        options = self.base.get("options")
        for name, value in (options if isinstance(options, dict) else {}).items():
            path: KeyPath = ("base", "options", name)
            if self.attempt(path, lambda name=name: target_of(f"{OPTIONS}{name}")) is not None:  # type: ignore[misc]
                given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value}
                try:
                    Options(**given)
                except ConfigError as error:
                    self.fault(path, str(error).partition(": ")[2])

    # Expressions -----------------------------------------------------------------------------------------------------

    def _read_expressions(self) -> None:
        written: list[tuple[KeyPath, Any, bool]] = []
        for name, entry in self.axes.items():
            if isinstance(entry, dict) and "when" in entry:
                written.append((("axes", name, "when"), entry["when"], False))
        written += [(("derived", name), text, False) for name, text in self.derived.items()]
        written += [(("constraints", number), text, True) for number, text in enumerate(self.constraints)]
        for path, text, figures in written:
            if isinstance(text, str):
                expression = self.attempt(path, lambda text=text: Expression.parse(text))  # type: ignore[misc]
                if isinstance(expression, Expression) and self._know_names(path, expression, figures=figures):
                    self.expressions[path] = expression

    def _know_names(self, path: KeyPath, expression: Expression, *, figures: bool) -> bool:
        unknown = [name for name in expression.names if not self._knows(name, figures=figures)]
        for name in unknown:
            if not figures and name in self.figures:
                self.fault(path, f"got the figure {name}, need what is known before a design is evaluated")
            elif name == ACCURACY:
                self.fault(path, f"got {name}, need a study that supplies it; try accuracy: DIRECTORY")
            else:
                self.fault(path, f"got {name}, need a known name{near(name, self._known_names(figures=figures))}")
        return not unknown

    def _knows(self, name: str, *, figures: bool) -> bool:
        if name in self.axes or name in self.scenarios or name in self.derived:
            return True
        if name in SINGLE or name in OF_SPARSITY or (figures and name in self.figures):
            return True
        if name.startswith(HARDWARE):
            return self._has_value(name)
        return name in all_names()

    def _has_value(self, name: str) -> bool:
        path = tuple(name.split("."))[1:]
        for outer in PARTS:
            if path[: len(outer)] == outer and f"{HARDWARE}{'.'.join(outer)}" in self.axes:
                return name in all_names()
        designs = self._designs()
        if not designs:
            return name in all_names()
        found = [value_at(each, path) for each in designs]
        return any(value is not MISSING and as_value(value) is not None for value in found)

    def _known_names(self, *, figures: bool) -> Iterable[str]:
        yield from (*self.axes, *self.scenarios, *self.derived, *OF_SPARSITY, *CONSTANTS, *self._hardware_names())
        if figures:
            yield from self.figures

    # Dependences -----------------------------------------------------------------------------------------------------

    def _check_dependences(self) -> None:
        mentioned: dict[str, tuple[str, ...]] = {}
        for path, expression in self.expressions.items():
            mentioned[dotted(path) if path[0] == "constraints" else str(path[1])] = expression.names
        setting = [*self.axes, *self.scenarios, *self.derived]
        settled = [name for name, entry in (self.axes | self.scenarios).items() if not _is_conditional(entry)]
        settled += ["batch"] if self.base.get("batch") is not None else []
        try:
            every = needed_by(mentioned, setting, settled)
        except CycleError as error:
            circle = [str(name) for name in reversed(error.args[1])]
            section = "derived" if circle[0] in self.derived else "axes"
            self.fault((section, circle[0]), f"got a circle, {' -> '.join(circle)}, need an order to compute them in")
            return
        for path in self.expressions:
            name = str(path[1])
            of_design = path[0] != "derived" or name.startswith(HARDWARE)
            needed = every[dotted(path) if path[0] == "constraints" else name]
            by = [scenario for scenario in self.scenarios if scenario in needed]
            if of_design and by:
                what = "a constraint judges a design" if path[0] == "constraints" else "a design is one thing"
                self.fault(path, f"got what depends on scenario {by[0]}, need what does not: {what} over all scenarios")

    def _check_use(self) -> None:
        """Free variables that nothing mentions: every value would give the same point."""
        broken = len(self.expressions) < len(self.derived) + len(self.constraints)
        used = {name for expression in self.expressions.values() for name in expression.names}
        for section, named in (("axes", self.axes), ("scenarios", self.scenarios)):
            for name in named:
                if is_free(name) and name not in used and not broken and (section, name) in self.targets:
                    hint = near(name, all_names())
                    self.fault((section, name), f"got {name}, which no point uses, need a field or a variable of "
                               f"derived fields{hint}")  # fmt: skip

    def _check_figures(self) -> None:
        seen: set[str] = set()
        data = self.document.data if isinstance(self.document.data, dict) else {}
        for number, goal in enumerate(_list(data, "objectives")):
            for way, figure in (goal if isinstance(goal, dict) else {}).items():
                if way not in ("minimise", "maximise") or not isinstance(figure, str):
                    continue
                path: KeyPath = ("objectives", number, way)
                if figure == ACCURACY and figure not in self.figures:
                    self.fault(path, f"got {figure}, need a study that supplies it; try accuracy: DIRECTORY")
                elif figure not in self.figures:
                    self.fault(path, f"got {figure}, need a figure of a result{near(figure, self.figures)}")
                elif figure in seen:
                    self.fault(path, f"got {figure} twice, need each objective once")
                seen.add(figure)


def _mapping(data: Any, name: str) -> dict[str, Any]:
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def _list(data: Any, name: str) -> list[Any]:
    found = data.get(name)
    return found if isinstance(found, list) else []


def _is_conditional(entry: Any) -> bool:
    return isinstance(entry, dict) and "when" in entry
