"""Designs at the bounds of their fields: figures that are sums of what they say, or a line that refuses."""

import pytest
from annotated_types import Le
from bisparse.accel.specification import Hardware, load_hardware
from bisparse.configs.errors import BisparseError
from bisparse.configs.section import Section

import bisparse

from ..unit.dataflow.hand_made import MLP


def bounds(section, path=()):
    """Every bounded number of a design: its path and the largest value that it takes."""
    for name, field in section.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            yield from bounds(inner, (*path, name))
        largest = next((each.le for each in field.metadata if isinstance(each, Le)), None)
        if largest is not None:
            yield (*path, name), largest


BOUNDS = dict(bounds(Hardware))


def design(*paths):
    found = {"name": "extreme", "extends": "sat-vcu1525"}
    for path in paths:
        place = found
        for name in path[:-1]:
            place = place.setdefault(name, {})
        place[path[-1]] = BOUNDS[path]
    return found


def checked(given, **options):
    """Simulated: counts that are no less than nothing and sum up; or refused in a line."""
    try:
        result = bisparse.simulate(MLP, given, batch=4, **options)
    except BisparseError:
        return
    document = result.document()
    assert sum(result.by_stage.values()) == result.total_cycles > 0
    assert min(result.by_stage.values()) >= 0
    assert min(each for row in result.rows for each in (row.cycles, row.hidden_cycles, *row.causes.values())) >= 0
    assert min(document["energy_by_component"].values()) >= 0
    assert result.memory.peak_bytes > 0


@pytest.mark.parametrize("path", BOUNDS, ids=".".join)
def test_one_field_at_its_bound(path):
    checked(design(path))


@pytest.mark.parametrize("engine", ["analytic", "event"])
def test_all_fields_at_their_bounds(engine):
    checked(design(*BOUNDS), engine=engine)


def test_every_number_of_a_design_has_a_bound():
    def unbounded(section, path=()):
        for name, field in section.model_fields.items():
            inner = field.annotation
            if isinstance(inner, type) and issubclass(inner, Section):
                yield from unbounded(inner, (*path, name))
            elif inner in (int, float) and (*path, name) not in BOUNDS:
                yield ".".join((*path, name))

    assert list(unbounded(Hardware)) == []


def test_beyond_its_bound_a_field_is_refused_by_name():
    for path, largest in BOUNDS.items():
        given = design()
        place = given
        for name in path[:-1]:
            place = place.setdefault(name, {})
        place[path[-1]] = largest * 2
        with pytest.raises(BisparseError, match=path[-1]):
            load_hardware(given)
