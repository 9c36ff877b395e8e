"""What the settings of a point make: its hardware, with the fields that they change, and its options."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from ....accel.design_fields import Target, split
from ....accel.specification import Hardware
from ....accel.varied_design import Change, Family
from ....configs.errors import ConfigError
from ....configs.schema import Loaded
from ....configs.strict_yaml import Document
from ...options import Options
from .axis_values import Settings, Value
from .expressions import NoValueError
from .fields import HARDWARE, OPTIONS, target_of
from .point_names import PointNames, Vocabulary
from .sweep import Sweep

_KEPT = 4096
"""Made things remembered: points that differ in the workload or the ratio share a design."""

_Items = tuple[tuple[str, Value], ...]

_target = lru_cache(maxsize=1024)(target_of)


class Maker:
    """Makes designs and options, those that were made before from memory."""

    def __init__(
        self, sweep: Sweep, document: Document, vocabulary: Vocabulary, place_of: Callable[[str, str], str]
    ) -> None:
        """Of one sweep.

        Args:
            sweep: with its base and derived fields.
            document: that says where each of them stands.
            vocabulary: what gives names their values.
            place_of: how errors name a field of the sweep.
        """
        self._sweep = sweep
        self._document = document
        self._vocabulary = vocabulary
        self._place_of = place_of
        self._families: dict[str, Family] = {}
        self._varied = lru_cache(maxsize=_KEPT)(self._vary)
        self.made_options = lru_cache(maxsize=_KEPT)(self._make_options)

    def hardware(self, names: PointNames, settings: Settings) -> Loaded[Hardware]:
        """The hardware of a point.

        Raises:
            ConfigError: its fields do not go together, or one cannot be derived.
        """
        name = self._vocabulary.named("hardware", settings)
        set_here = tuple((field, value) for field, value in settings.items() if field.startswith(HARDWARE))
        return self._varied(name, set_here, tuple(self._derived(names, HARDWARE)))

    def options(self, names: PointNames, settings: Settings) -> Options:
        """The options of a point; ``ConfigError`` when one cannot be derived."""
        given = {name: value for name, value in settings.items() if name.startswith(OPTIONS)}
        given |= dict(self._derived(names, OPTIONS))
        derived = dict(self._derived(names, "batch"))
        batch = derived.get("batch", settings.get("batch", self._sweep.base.batch))
        return self.made_options(batch, tuple(given.items()))

    def _derived(self, names: PointNames, prefix: str) -> Iterator[tuple[str, Value]]:
        for name in self._vocabulary.derived:
            if name.startswith(prefix) and (name == prefix or prefix.endswith(".")):
                try:
                    yield name, names.derived(name)
                except NoValueError:
                    # What follows from an axis that does not apply does not apply either.
                    continue
                except ConfigError as error:
                    raise ConfigError(f"{self._place_of('derived', name)}: {error}") from None

    def _vary(self, name: str, set_here: _Items, derived: _Items) -> Loaded[Hardware]:
        if name not in self._families:
            self._families[name] = Family(self._vocabulary.inputs.hardware(name))
        changes = [self._change("axes", field, value) for field, value in set_here]
        changes += [self._change("derived", field, value) for field, value in derived]
        # Outer sections first: fields are laid over the part that a name stands for.
        return self._families[name].varied(sorted(changes, key=lambda change: len(change.path)))

    def _change(self, section: str, name: str, value: Value) -> Change:
        target = self._target(name)
        derived = section == "derived"
        part = self._vocabulary.inputs.dram(str(value)) if target.part else None
        return Change(
            path=tuple(name.split("."))[1:],
            value=split(value) if target.listed else value if part is None else part.document.data,
            status="derived" if derived else "assumed",
            source=f"derived: {self._sweep.derived[name]}" if derived else f"swept: {name}, {self._sweep.name}",
            place=self._document.place_of((section, name)),
            part=part,
        )

    def _make_options(self, batch: Any, given: _Items) -> Options:
        own = self._sweep.base.options
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in own.items()
        }
        for name, value in given:
            plain[name.removeprefix(OPTIONS)] = tuple(split(value)) if self._target(name).listed else value
        return Options(batch=batch, **plain)

    def _target(self, name: str) -> Target:
        rule = self._vocabulary.derived.get(name)
        return _target(name) if rule is None else rule.target
