"""The compiled search finds what numpy finds: mapping, time, energy to the last bit, bytes, candidates considered."""

from dataclasses import replace

import pytest
from bisparse.configs.errors import MappingError
from bisparse.dataflow import objective
from bisparse.dataflow.compiled import numba_build
from bisparse.dataflow.gemm import PLAIN
from bisparse.dataflow.objective import Objective
from bisparse.dataflow.search import best_mapping
from bisparse.dataflow.search_compiled import compiled_choice
from bisparse.dataflow.shares import split_forms

from .test_search_many import any_gemm
from .wild_designs import Draw, wild_kind, wild_numbers, wild_prices, with_shared_port, with_tile_overlap

pytest.importorskip("numba")

DESIGNS = 12
OVERLAPPING = 200
"""Seeds from here on draw designs whose tiles overlap."""

SHARING = 250
"""And from here on such whose operands share a port."""


@pytest.mark.parametrize("seed", [*range(16), *range(OVERLAPPING, OVERLAPPING + 8), *range(SHARING, SHARING + 8)])
def test_it_finds_the_mapping_that_numpy_finds(seed):
    draw = Draw(seed)
    kind, gemm, interleave = wild_kind(draw), any_gemm(draw), draw.chance(0.8)
    if seed >= OVERLAPPING:
        kind = with_shared_port(kind) if seed >= SHARING else with_tile_overlap(kind)
    for hardware in [wild_numbers(draw, kind).model for _ in range(DESIGNS)]:
        if not hardware.tensor_engine.supports(gemm.pattern):
            continue
        time = Objective(name="time", energy=wild_prices(draw))
        found = compiled_choice(gemm, hardware, objective=time, interleave=interleave)
        try:
            by_numpy = best_mapping(gemm, hardware, objective=time, interleave=interleave)
        except MappingError:
            assert found is None
        else:
            assert found == replace(by_numpy, timed_exactly=found.timed_exactly)


@pytest.mark.parametrize("seed", [*range(100, 105), *range(300, 303)])
def test_it_takes_the_same_for_nearly_as_fast(seed, monkeypatch):
    """With mappings that are 3% slower counted as fast, so that many are."""
    monkeypatch.setattr(objective, "ALIKE", 33)
    test_it_finds_the_mapping_that_numpy_finds(seed)


@pytest.mark.parametrize("seed", range(400, 406))
def test_it_finds_the_mapping_of_a_split_that_numpy_finds(seed):
    draw = Draw(seed)
    kind, gemm = wild_kind(draw), replace(any_gemm(draw), n=draw.one(1, 3, 7))
    for loaded in [wild_numbers(draw, kind) for _ in range(2)]:
        engine = loaded.model.tensor_engine.model_copy(update={"split_columns": draw.one(1, 2, 4)})
        if not engine.supports(gemm.pattern):
            continue
        hardware = loaded.model.model_copy(update={"tensor_engine": engine})
        for form in split_forms(gemm, PLAIN, engine):
            split, time = gemm.formed(form), Objective(name="time", energy=wild_prices(draw))
            found = compiled_choice(split, hardware, objective=time)
            if found is None:
                with pytest.raises(MappingError):
                    best_mapping(split, hardware, objective=time)
            else:
                by_numpy = best_mapping(split, hardware, objective=time)
                assert found == replace(by_numpy, timed_exactly=found.timed_exactly)


def test_it_is_there():
    """Built when the tests begin."""
    assert numba_build.is_built()
