"""A few points of a space made before all others: does it hold any, and is every axis and constraint of use?"""

from __future__ import annotations

from collections.abc import Iterator

from ....configs.errors import ConfigError
from .axis_values import Settings
from .fields import HARDWARE
from .space import Space

_PROBED = 64
"""Values of an axis that are tried; a longer axis is numbers, whose range is checked."""


def check_points(space: Space) -> None:
    """See that a space can be explored.

    That fields do not go together at some point is no fault of the sweep: the point is infeasible, and says why. What
    fails at every point that is tried is a fault, and so is a text that no design can have, such as an energy table's.

    Raises:
        ConfigError: an axis applies to no design, or a value, a constraint or every point fails.
    """
    faults = [
        f"{space.place_of('axes', name, 'when')}: got a condition that no point meets, need one that some do"
        for name in sorted(space.unused)
    ]
    named = [
        axis.name.removeprefix(HARDWARE)
        for axis in space.axes
        if axis.name.startswith(HARDWARE) and isinstance(axis.values[0], str)
    ]
    scenario = space.scenarios()[0]
    failures: list[str] = []
    judged: list[dict[int, str]] = []
    made = False
    for settings in _probes(space):
        judged.append(space.broken_constraints(settings))
        try:
            point = space.point(settings | scenario)
            space.check_energy(point)
        except ConfigError as error:
            text = str(error)
            failures.append(text)
            faults += [text for field in named if f": {field}: got" in text]
        else:
            made = True
    for number, fault in judged[0].items():
        if all(number in each for each in judged):
            faults.append(f"{space.place_of('constraints', number)}: {fault}")
    if not made and not faults:
        faults.append(f"{space.place_of('axes')}: got no point that can be made, need one; the first: {failures[0]}")
    if faults:
        text = "\n".join(dict.fromkeys(faults))
        # Plain data has no lines.
        file = space.loaded.document.file
        raise ConfigError(text if space.loaded.sources else text.replace(f"{file}:1: ", f"{file}: "))


def _probes(space: Space) -> Iterator[Settings]:
    """Designs with the first value of every axis, but for one, which takes each of its values in turn."""
    axes = [axis for axis in space.axes if not axis.scenario]
    first = [0] * len(axes)
    yield space.settings(first)
    for number, axis in enumerate(axes):
        for at in range(1, min(len(axis.values), _PROBED)):
            settings = space.settings([*first[:number], at, *first[number + 1 :]])
            if axis.name in settings:
                yield settings
