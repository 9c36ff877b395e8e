"""The values of an axis: a list, or a range in equal steps, equal factors, or so many points, both ends in."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model, model_validator

from ....configs.errors import ConfigError
from ....configs.quantity import as_field, parse_bytes, parse_bytes_per_second, parse_hertz, parse_seconds

Value = bool | int | float | str
"""Of an axis, in the unit of its field."""

Settings = dict[str, Value]
"""The value of every axis that applies to a point, in the order of the file."""

MOST_VALUES = 10_000
"""Of one axis. More is a slip: no report tells them apart."""

FORMS = ("values", "from", "to", "step", "factor", "points", "scale", "when")
"""What an axis that is no plain list may say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One dimension of a space.

    Attributes:
        name: what it sets, as the file has it.
        values: in the unit of the field, each once.
        when: the condition under which it applies; None where it always does.
        scenario: whether designs are judged over all of its values rather than chosen by one.
    """

    name: str
    values: tuple[Value, ...]
    when: str | None = None
    scenario: bool = False

    @property
    def free(self) -> bool:
        """Whether it is a variable for derived fields and conditions, and sets nothing itself."""
        return is_free(self.name)


SINGLE = ("hardware", "workload", "recipe", "sparsity", "batch")
"""What a point has besides fields of the hardware and options."""


def is_free(name: str) -> bool:
    """Whether a name is a variable of the user's own.

    >>> is_free("megabytes"), is_free("batch"), is_free("hardware.clock_hz")
    (True, False, False)
    """
    return name.isidentifier() and name not in SINGLE


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    when: str | None = None


class Listed(_Form):
    """Values one by one."""

    values: list[Any] = Field(min_length=1, max_length=MOST_VALUES)

    def spread(self, *, whole: bool) -> list[Any]:
        """The values."""
        return self.values


class Ranged(_Form):
    """From one value to another, both in."""

    first: Any = Field(alias="from")
    last: Any = Field(alias="to")
    step: Any = None
    factor: float | None = Field(default=None, gt=1, allow_inf_nan=False)
    points: int | None = Field(default=None, ge=2, le=MOST_VALUES)
    scale: Literal["linear", "log"] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [name for name in ("step", "factor", "points") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"got {' and '.join(given) or 'a range without any'}, need one of step, factor, points")
        if self.scale is not None and self.points is None:
            raise ValueError(f"scale: got {self.scale} without points, need it with points; try points: 5")
        first, last = self.first, self.last
        if any(isinstance(end, bool | str) for end in (first, last)):
            raise ValueError("from: got no number, need numbers at both ends; try a list of values")
        if not first < last:
            raise ValueError(f"to: got {last}, need more than from ({first})")
        if self.step is not None and (isinstance(self.step, bool | str) or self.step <= 0):
            raise ValueError(f"step: got {self.step!r}, need a number above 0")
        if (self.factor is not None or self.scale == "log") and first <= 0:
            raise ValueError(f"from: got {first}, need more than 0 for equal factors")
        self._check_ends_met()
        return self

    def _check_ends_met(self) -> None:
        if self.points is not None:
            return
        exact = self._factors() if self.factor is not None else self._steps()
        if len(exact) > MOST_VALUES:
            raise ValueError(f"got more than {MOST_VALUES} values, need fewer; try a larger {self._way}")
        reached = exact[-1]
        if not math.isclose(reached, self.last, rel_tol=1e-9):
            rule = f"from plus whole steps of {self.step}" if self.factor is None else f"from times {self.factor:g}s"
            raise ValueError(f"to: got {self.last}, need {rule}; try {reached:g}")

    @property
    def _way(self) -> str:
        return "step" if self.factor is None else "factor"

    def _steps(self) -> list[float]:
        # By way of text, so that steps of 0.1 meet 1 exactly.
        first, last, step = (Fraction(repr(number)) for number in (self.first, self.last, self.step))
        count = min(int((last - first) / step * (1 + Fraction(1, 10**9))) + 1, MOST_VALUES + 1)
        return [float(first + number * step) for number in range(count)]

    def _factors(self) -> list[float]:
        assert self.factor is not None
        count = int(math.log(self.last / self.first) / math.log(self.factor) * (1 + 1e-9) + 1e-9) + 1
        return [self.first * self.factor**number for number in range(min(count, MOST_VALUES + 1))]

    def spread(self, *, whole: bool) -> list[Any]:
        """The values, each once; integers where the field or what the range says is such."""
        said = (self.first, self.last, *([] if self.step is None else [self.step]))
        whole = whole or all(isinstance(number, int) for number in said)
        if self.points is None:
            exact = self._factors() if self.factor is not None else self._steps()
        else:
            shares = [number / (self.points - 1) for number in range(self.points)]
            exact = (
                [self.first * (self.last / self.first) ** share for share in shares]
                if self.scale == "log"
                else [self.first + (self.last - self.first) * share for share in shares]
            )
        # What lies between the ends is rounded: a file that says 141421356 Hz is read more easily.
        inside = [round(number) if whole else float(f"{number:.9g}") for number in exact[1:-1]]
        return list(dict.fromkeys([self.first, *inside, self.last]))


def form_of(written: Any, of_one: Any, *, number: bool) -> Any:
    """The type that an axis's entry in the file must have.

    Args:
        written: the entry as it was read.
        of_one: the type of one value.
        number: whether ranges make sense.
    """
    # Annotated keeps the bounds that pydantic knows of the field.
    if not isinstance(written, dict):
        return Annotated[list[of_one], Field(min_length=1, max_length=MOST_VALUES)]
    if "values" in written or not number:
        bounds = Field(min_length=1, max_length=MOST_VALUES)
        return create_model("Listed", __base__=Listed, values=(Annotated[list[of_one], bounds], ...))
    return create_model(
        "Ranged",
        __base__=Ranged,
        first=(of_one, Field(alias="from")),
        last=(of_one, Field(alias="to")),
        step=(of_one | None, None),
    )


_WITH_UNIT = re.compile(r"\s*[-+]?[\d.]+(?:[eE][-+]?\d+)?\s*([A-Za-z/]+)\s*")
_PARSERS: tuple[Callable[[Any], float], ...] = (parse_bytes, parse_hertz, parse_bytes_per_second, parse_seconds)


def free_value(value: Any) -> Value:
    """The value of a free variable: a size with its unit becomes a number, every other text stays one.

    >>> free_value("2 MiB"), free_value("small"), free_value(3)
    (2097152, 'small', 3)
    """
    if isinstance(value, str) and _WITH_UNIT.fullmatch(value):
        for parse in _PARSERS:
            try:
                return parse(value)
            except ConfigError:
                continue
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"got {value}, need a finite number")
    if not isinstance(value, bool | int | float | str):
        raise ConfigError(f"got {'nothing' if value is None else type(value).__name__}, need a number or a text")
    return value


FREE = Annotated[Any, AfterValidator(as_field(free_value))]
"""Field type: a value of a free variable."""


def repeated(values: Iterable[Value]) -> Value | None:
    """The first value that an earlier one equals; None when there is no such."""
    seen = set()
    for value in values:
        # True equals 1, but is another value.
        key = (isinstance(value, bool), value)
        if key in seen:
            return value
        seen.add(key)
    return None
