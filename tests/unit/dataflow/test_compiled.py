"""What is compiled is kept where nobody takes one thing for another."""

import pytest
from bisparse.dataflow.compiled import numba_build
from bisparse.dataflow.dataflows import dataflow_named

pytest.importorskip("numba")


def kernel_of(name):
    plain, _ = dataflow_named(name).in_formulas
    return numba_build.compiled(plain.formulas)


def test_dataflows_are_kept_in_folders_of_their_own():
    """All kernels have one name: side by side, two processes that compile would take one for the other."""
    folders = [part.stats.cache_path for name in ("os", "ws") for part in kernel_of(name)]
    assert folders[0] == folders[1] != folders[2] == folders[3]


def test_input_stationary_is_compiled_as_weight_stationary():
    assert kernel_of("is") is kernel_of("ws")
    assert dataflow_named("is").in_formulas == (dataflow_named("ws"), True)


def test_another_version_of_the_compiler_has_another_folder():
    assert numba_build._digest("0.1") != numba_build._digest("0.2")


def test_without_a_place_to_keep_it_nothing_counts_as_built(monkeypatch):
    monkeypatch.setattr(numba_build, "_folder", lambda: None)
    assert not numba_build.is_built()
    numba_build.mark_built()
