"""What a design and its energy table leave open: values that their files give a range, and how they are varied.

A number lies between two ends: in equal steps of its logarithm where both are above zero, else in equal steps. Anything
else is one of those that the file lists.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ....accel.design_fields import Target, design_names, design_target, joined, split, value_at
from ....accel.energy_table import EnergyTable
from ....accel.specification import Hardware
from ....accel.varied_design import Change, Family, typed_value
from ....configs.complaints import shown
from ....configs.errors import ConfigError
from ....configs.library import content_hash
from ....configs.provenance import Provenance, Status
from ....configs.schema import Loaded, validate
from ....configs.strict_yaml import Document, KeyPath, Place

Value = bool | int | float | str

_WRITTEN = Place("range", 1)

HARDWARE, ENERGY = "hardware.", "energy."
"""What names begin with, as in the list of a report's assumptions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """A value that may be another.

    Attributes:
        name: of its field.
        value: what it is taken for, in the field's unit.
        choices: the lowest and the highest of a number, else all that it may be.
        status: how well it is known.
        source: why it is taken for that.
        scales: names of fields that are larger and smaller with it, in proportion.
    """

    name: str
    value: Value
    choices: tuple[Value, ...]
    status: Status
    source: str
    scales: tuple[str, ...] = ()

    @property
    def is_number(self) -> bool:
        """Whether it lies between two ends."""
        return not isinstance(self.value, bool | str)

    @property
    def ends(self) -> tuple[Value, ...]:
        """What it is varied to when it is varied alone: both ends, or all that it is not."""
        return tuple(each for each in self.choices if each != self.value)

    def at(self, share: float) -> Value:
        """The value below which a share of its range lies; ``share`` is in [0, 1).

        >>> lanes = Assumption(name="lanes", value=32, choices=(8, 128), status="assumed", source="")
        >>> lanes.at(0.0), lanes.at(0.5), Assumption(
        ...     name="drain", value="shift", choices=("shift", "wire"), status="assumed", source="").at(0.5)
        (8, 32, 'wire')
        """
        if not self.is_number:
            return self.choices[int(share * len(self.choices))]
        low, high = (float(each) for each in self.choices)
        found = low * math.exp(share * math.log(high / low)) if low > 0 else low + share * (high - low)
        return round(found) if isinstance(self.value, int) else found


@dataclass(frozen=True, kw_only=True)
class Uncertain:
    """A design and its prices, with what is open of both.

    Attributes:
        hardware: the design.
        table: its energy table.
    """

    hardware: Loaded[Hardware]
    table: Loaded[EnergyTable]

    @cached_property
    def assumptions(self) -> tuple[Assumption, ...]:
        """What may be another value, in the order of the files.

        Raises:
            ConfigError: a range is none of its field's, does not hold the value, or scales what is no number.
        """
        prices = (each for each in self._of(self.table, ENERGY) if self._in_use(each))
        return (*self._of(self.hardware, HARDWARE), *prices)

    def _in_use(self, price: Assumption) -> bool:
        """Whether the design pays a price, or one that scales with it: of memories and of formats it has one."""
        design = self.hardware.model
        has = {"dram_pj_per_bit": design.dram.technology, "multiply_pj": design.tensor_engine.multiplied_as}

        def paid(name: str) -> bool:
            field, *key = _words(name)
            return field not in has or key == [has[field]]

        return any(paid(name) for name in (price.name, *price.scales))

    def varied(self, values: Mapping[str, Value]) -> tuple[Loaded[Hardware], Loaded[EnergyTable]]:
        """The design and its prices with values changed, those that scale with them too.

        Args:
            values: by name of the assumption.

        Raises:
            ConfigError: the values do not go together.
        """
        final = self._scaled(values)
        own = {_path(name): value for name, value in final.items() if name.startswith(HARDWARE)}
        prices = {_path(name): value for name, value in final.items() if name.startswith(ENERGY)}
        changes = [self._change(path, own[path]) for path in sorted(own, key=len)]
        return self._family.varied(changes), self._prices(prices)

    @property
    def without_range(self) -> int:
        """How many assumed values nobody says a range of, nor why they have none, but for those that scale."""
        scaled = {name for each in self.assumptions for name in each.scales}
        return sum(not known.range and not known.fixed and name not in scaled for name, known in self._assumed.items())

    @property
    def varied_with(self) -> int:
        """How many values scale with others and have no range of their own."""
        own = {each.name for each in self.assumptions}
        return len({name for each in self.assumptions for name in each.scales} - own)

    @property
    def fixed(self) -> dict[str, str]:
        """Why assumed values are not varied, by name, of those whose files say it."""
        return {name: known.fixed for name, known in self._assumed.items() if known.fixed}

    @property
    def _assumed(self) -> dict[str, Provenance]:
        return {
            f"{prefix}{name}": known
            for loaded, prefix in ((self.hardware, HARDWARE), (self.table, ENERGY))
            for name, known in loaded.provenance.items()
            if known.status == "assumed"
        }

    @cached_property
    def _family(self) -> Family:
        return Family(self.hardware)

    def _of(self, loaded: Loaded[Any], prefix: str) -> Iterator[Assumption]:
        for name, known in loaded.provenance.items():
            if known.range:
                try:
                    yield self._assumption(f"{prefix}{name}", known)
                except ConfigError as error:
                    place = loaded.document.place_of(_path(f"{prefix}{name}"))
                    told = str(error).replace(f"{_WRITTEN}: {name}: ", "")
                    raise ConfigError(f"{place}: {name}: range: {told}") from None

    def _assumption(self, name: str, known: Provenance) -> Assumption:
        value, *choices = (self._typed(name, each) for each in (known.value, *known.range))
        if isinstance(value, bool | str):
            within = value in choices
        else:
            within = len(choices) == 2 and choices[0] <= value <= choices[1]
        if not within or choices[0] == choices[-1]:
            need = "need the lowest and the highest around the value, or what it may be, itself among it"
            raise ConfigError(f"got {shown(list(known.range))} around {shown(known.value)}, {need}")
        scales = tuple(f"{name.partition('.')[0]}.{each}" for each in known.scales)
        for each in scales:
            self._number_at(each)
        if scales and not isinstance(value, int | float):
            raise ConfigError(f"got scales of {shown(known.value)}, need a number there")
        return Assumption(
            name=name, value=value, choices=tuple(choices), status=known.status, source=known.source, scales=scales
        )

    def _typed(self, name: str, written: Any) -> Any:
        """A value of a file in the unit of its field."""
        if name.startswith(ENERGY):
            if isinstance(written, bool) or not isinstance(written, int | float):
                raise ConfigError(f"got {shown(written)}, need a number")
            return float(written)
        found = typed_value(_target(name), written, _WRITTEN)
        return joined(found) if isinstance(found, list | tuple) else found

    def _number_at(self, name: str) -> int | float:
        found = value_at(self.hardware.model, _words(name)) if name.startswith(HARDWARE) else self._price(_path(name))
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise ConfigError(f"got scales {name.partition('.')[2]}, need fields that are numbers")
        return found

    def _scaled(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """The values, and those of the fields that grow with them."""
        final = dict(values)
        by_name = {each.name: each for each in self.assumptions}
        for name, value in values.items():
            assumption = by_name[name]
            for other in assumption.scales:
                before = final.get(other, self._number_at(other))
                assert not isinstance(before, bool | str), "numbers scale"
                grown = before * (float(value) / float(assumption.value))
                final[other] = max(1, round(grown)) if isinstance(before, int) else grown
        return final

    def _change(self, path: KeyPath, value: Value) -> Change:
        name = ".".join(map(str, path))
        known = self.hardware.provenance.get(name)
        return Change(
            path=tuple(map(str, path)),
            value=split(value) if _target(f"{HARDWARE}{name}").listed else value,
            status=known.status if known else "assumed",
            source="varied within its range",
            place=self.hardware.document.place_of(path),
        )

    # Prices ----------------------------------------------------------------------------------------------------------

    def _price(self, path: KeyPath) -> Any:
        found: Any = self.table.document.data
        for step in path:
            try:
                found = found[step]
            except (KeyError, IndexError, TypeError):
                return None
        return found

    def _prices(self, values: Mapping[KeyPath, Value]) -> Loaded[EnergyTable]:
        """The table with prices changed."""
        if not values:
            return self.table
        data = deepcopy(self.table.document.data)
        for path, value in values.items():
            *above, last = path
            inner = data
            for step in above:
                inner = inner[step]
            inner[last] = value
        document = Document(file=self.table.document.file, data=data, places=self.table.document.places)
        return Loaded(
            model=validate(document, EnergyTable),
            provenance=self.table.provenance,
            sources=self.table.sources,
            sha256=content_hash(data),
            document=document,
        )


def _target(name: str) -> Target:
    return design_target(_words(name), name=name.removeprefix(HARDWARE), known=design_names())


def _words(name: str) -> tuple[str, ...]:
    return tuple(name.split("."))[1:]


def _path(name: str) -> KeyPath:
    """The path of a field by name, a number where a list is meant."""
    return tuple(int(step) if step.isdecimal() else step for step in _words(name))
