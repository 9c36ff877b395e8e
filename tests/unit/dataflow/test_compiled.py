"""What is compiled is kept where nobody takes one thing for another."""

from collections import deque
from dataclasses import replace
from types import SimpleNamespace

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.dataflow import search_compiled
from bisparse.dataflow.compiled import numba_build
from bisparse.dataflow.compiled.kernel import parts_of
from bisparse.dataflow.dataflows import dataflow_named
from bisparse.dataflow.gemm import Gemm
from bisparse.dataflow.objective import TIME
from bisparse.dataflow.search import best_mapping
from bisparse.training.graph import Stage

pytest.importorskip("numba")


def kernel_of(name):
    plain, _ = dataflow_named(name).in_formulas
    return numba_build.compiled(plain.formulas)


def test_functions_of_dataflows_have_names_of_their_own():
    """Machine code that two processes made and a third one loads is told apart by name."""
    names = []
    for name in ("os", "ws"):
        plain, _ = dataflow_named(name).in_formulas
        parts = parts_of(plain.formulas)
        names += [each.__qualname__ for each in (*parts.kernel, *parts.called)]
    assert len(names) == len(set(names)) == 18


def test_dataflows_are_kept_in_folders_of_their_own():
    folders = [part.stats.cache_path for name in ("os", "ws") for part in kernel_of(name)]
    assert folders[0] == folders[1] != folders[2] == folders[3]


def test_input_stationary_is_compiled_as_weight_stationary():
    assert kernel_of("is") is kernel_of("ws")
    assert dataflow_named("is").in_formulas == (dataflow_named("ws"), True)


def test_another_version_of_the_compiler_has_another_folder():
    assert numba_build._digest("0.1") != numba_build._digest("0.2")


def test_what_one_process_compiled_another_finds_by_types_alone():
    """What a closure holds is pickled otherwise where Python read sources than where it read what it made of them."""
    machine = SimpleNamespace(magic_tuple=lambda: "machine")
    for part in (*kernel_of("os"), *kernel_of("ws"), *numba_build.laying()):
        assert part._cache._index_key("types", machine) == ("types", "machine")


def test_without_a_place_to_keep_it_nothing_counts_as_built(monkeypatch):
    monkeypatch.setattr(numba_build, "_folder", lambda: None)
    assert not numba_build.is_built()
    numba_build.build_once(lambda: None)


def test_a_process_that_knows_what_it_will_search_loads_what_is_compiled_at_once(monkeypatch):
    monkeypatch.setattr(search_compiled, "_searched", deque([0], maxlen=1))
    assert not search_compiled.is_ready(1)
    search_compiled.foresee(search_compiled.PATIENCE)
    assert search_compiled.is_ready(1)


def test_kernels_that_find_something_else_are_not_used(monkeypatch, caplog):
    hardware = load_hardware("sat-vcu1525").model
    gemm = Gemm(name="any", operator="any", stage=Stage.FORWARD, m=96, n=80, k=200)
    right = best_mapping(gemm, hardware)
    searched = [(gemm, hardware, TIME, None, True, right)]
    monkeypatch.setattr(search_compiled, "_found_before", searched)
    assert search_compiled._finds_again.__wrapped__()
    monkeypatch.setattr(search_compiled, "_found_before", [(*searched[0][:5], replace(right, cycles=right.cycles - 1))])
    assert not search_compiled._finds_again.__wrapped__()
    assert "the compiled mapping search finds" in caplog.text
