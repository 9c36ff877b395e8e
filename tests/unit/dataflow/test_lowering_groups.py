"""A grouped product is as many GEMMs of each size as there are groups of it, and no work is lost or made."""

from bisparse.dataflow.lowering import lower
from bisparse.training.graph import MatrixProduct, Operator, Size, Stage
from hypothesis import given
from hypothesis import strategies as st


def grouped(axis, loads, m=12, n=5, k=7, stage=Stage.FORWARD):
    return Operator(
        name="experts:FF",
        kind="linear",
        stage=stage,
        module="experts",
        inputs=("x", "w"),
        outputs=("y",),
        geometry=MatrixProduct(m=Size(m), n=Size(n), k=Size(k), grouped=axis, loads=loads),
        parameter="w",
    )


@given(
    st.sampled_from("mnk"),
    st.lists(st.integers(0, 9), min_size=1, max_size=8).filter(any),
    st.tuples(*[st.integers(1, 200)] * 3),
)
def test_no_multiplication_is_lost_or_made(axis, loads, sides):
    operator = grouped(axis, tuple(loads), *sides)
    lowered = lower(operator, 1)
    assert sum(gemm.issued_macs for gemm in lowered.gemms) == lowered.useful_macs == operator.geometry.macs(1)
    extents = operator.geometry.group_extents(1)
    assert sum(extents) == sides["mnk".index(axis)]
    # To within one row, each group has its part.
    whole = sum(extents)
    assert all(abs(extent - whole * load / sum(loads)) < 1 for extent, load in zip(extents, loads, strict=True))
    written = sum(gemm.count * gemm.m * gemm.n for gemm in lowered.gemms) + lowered.zero_fill_elements
    results = {"m": sides[0] * sides[1], "n": sides[0] * sides[1], "k": len(loads) * sides[0] * sides[1]}
    assert written == results[axis]


def test_equal_groups_are_one_gemm_of_that_count():
    (gemm,) = lower(grouped("m", (1, 1, 1)), 1).gemms
    assert (gemm.name, gemm.m, gemm.n, gemm.k, gemm.count) == ("experts:FF", 4, 5, 7, 3)


def test_groups_that_do_not_divide_evenly_are_two():
    gemms = lower(grouped("m", (1, 1, 1), m=13), 1).gemms
    assert [(gemm.name, gemm.m, gemm.count) for gemm in gemms] == [("experts:FF[1x5]", 5, 1), ("experts:FF[2x4]", 4, 2)]


def test_the_weight_gradient_of_an_idle_group_is_zero():
    lowered = lower(grouped("k", (1, 0, 1), k=8, stage=Stage.WEIGHT_GRADIENT), 1)
    assert [(gemm.k, gemm.count) for gemm in lowered.gemms] == [(4, 2)]
    assert lowered.zero_fill_elements == 12 * 5
