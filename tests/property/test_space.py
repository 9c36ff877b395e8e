"""Laws of design spaces, whatever their axes and conditions."""

from functools import cache
from itertools import product

from bisparse.accel.design_fields import value_at
from bisparse.sim.studies.explore.axis_values import Axis
from bisparse.sim.studies.explore.enumeration import Enumeration
from bisparse.sim.studies.explore.loading import space_of_data
from hypothesis import given, settings
from hypothesis import strategies as st

FIELDS = {
    "hardware.tensor_engine.rows": [8, 16, 32, 64],
    "hardware.tensor_engine.cols": [16, 32, 64],
    "hardware.clock_hz": [1e8, 2e8, 4e8],
    "hardware.buffers.west.capacity_bytes": [2**20, 2**21, 2**22],
    "hardware.reduction_engine.lanes": [8, 32],
    "hardware.policy.keep_on_chip": [True, False],
    "hardware.energy_table": ["16nm-fpga", "45nm"],
    "sparsity": ["2:8", "2:4", "1:4"],
    "batch": [8, 16],
    "options.objective": ["time", "energy"],
}


@st.composite
def axes(draw):
    names = draw(st.lists(st.sampled_from(sorted(FIELDS)), min_size=1, max_size=5, unique=True))
    return {name: draw(st.lists(st.sampled_from(FIELDS[name]), min_size=1, max_size=3, unique=True)) for name in names}


@cache
def base():
    return space_of_data(_data({"batch": [8]})).base_point({})


def _data(chosen):
    fixed = {"hardware": "sat-vcu1525", "workload": "resnet9-cifar10", "recipe": "bdwp", "sparsity": "2:8", "batch": 8}
    return {"base": fixed, "axes": chosen, "objectives": [{"minimise": "step_seconds"}]}


def had(design, name):
    if name.startswith("hardware."):
        return value_at(design.hardware.model, name.split(".")[1:])
    if name.startswith("options."):
        return getattr(design.options, name.partition(".")[2])
    return str(design.pattern) if name == "sparsity" else design.options.batch


@settings(max_examples=25, deadline=None)
@given(axes())
def test_every_design_has_exactly_the_values_asked_for(chosen):
    space = space_of_data(_data(chosen))
    for point in space.choices():
        design = space.point(point)
        for name in FIELDS:
            assert had(design, name) == point.get(name, had(base(), name))


@settings(max_examples=25, deadline=None)
@given(axes(), axes())
def test_keys_are_equal_where_all_that_determines_a_result_is(first, second):
    one, other = space_of_data(_data(first)), space_of_data(_data(second))
    keys = {}
    for space in (one, other):
        for point in space.choices():
            design = space.point(point)
            all_that_counts = tuple(had(design, name) for name in FIELDS)
            assert keys.setdefault(space.key(design), all_that_counts) == all_that_counts
    assert len(set(keys.values())) == len(keys)


@st.composite
def conditional(draw):
    """Axes with conditions on others, in any order but without circles: an axis may depend on those of lower rank."""
    count = draw(st.integers(1, 5))
    ranks = draw(st.permutations(range(count)))
    found, conditions = [], {}
    for number, rank in enumerate(ranks):
        name = f"a{number}"
        lower = [f"a{other}" for other in range(count) if ranks[other] < rank]
        if lower and draw(st.booleans()):
            needed = draw(st.lists(st.sampled_from(lower), min_size=1, max_size=2, unique=True))
            conditions[name] = {each: draw(st.integers(0, 2)) for each in needed}
        found.append(Axis(name=name, values=tuple(range(draw(st.integers(1, 3))))))
    return found, conditions


@settings(max_examples=200, deadline=None)
@given(conditional())
def test_enumeration_has_every_design_once_in_order_and_counts_them(drawn):
    found, conditions = drawn

    def applies(name, point):
        return all(point.get(each) == value for each, value in conditions[name].items())

    def closure(name):
        inner = set(conditions.get(name, {}))
        return frozenset(inner).union(*(closure(each) for each in inner))

    def kept(point):
        """By definition: take away what does not apply until nothing more does."""
        rest = dict(point)
        for _ in found:
            rest = {name: rest[name] for name in rest if name not in conditions or applies(name, rest)}
        return rest

    enumeration = Enumeration(found, {name: closure(name) for name in conditions}, applies)
    names = [axis.name for axis in found]
    every = [kept(dict(zip(names, values, strict=True))) for values in product(*(axis.values for axis in found))]
    distinct = {tuple(point.items()) for point in every}
    listed = [tuple(point.items()) for point in enumeration]
    assert len(listed) == len(set(listed)) == len(distinct)
    assert set(listed) == distinct
    count, unused = enumeration.count()
    assert count == len(distinct)
    assert unused == {name for name in conditions if not any(name in dict(point) for point in distinct)}
    ranked = [tuple(dict(point).get(name, 0) for name in names) for point in listed]
    assert ranked == sorted(ranked), "the last axis fastest, an axis that does not apply at its first value"
    for values, point in zip(product(*(range(len(axis.values)) for axis in found)), every, strict=True):
        assert enumeration.settings(values) == point
