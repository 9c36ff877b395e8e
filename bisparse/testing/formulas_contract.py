"""What a dataflow in plain formulas promises a compiled search: a part of ``DataflowContract``."""

from __future__ import annotations

from itertools import product
from typing import ClassVar

import numpy as np

from ..dataflow.dataflows.dataflow import Dataflow
from ..dataflow.dataflows.tile import Folds, Sparsity, Tiling
from .dataflow_cases import dataflow_cases


class FormulasContract:
    """Tests of one dataflow; what it says in methods alone promises nothing here.

    Attributes:
        dataflow: the one.
        search_cases: products that are tried.
    """

    dataflow: ClassVar[Dataflow]
    search_cases: ClassVar[int] = 12

    def test_floors_do_not_fall_where_more_folds_or_tiles_lie_along_m_and_n(self) -> None:
        """Of a dataflow in plain formulas: a search rules sizes out at what no other size goes below."""
        told = self.dataflow.in_formulas
        if told is None:
            return
        formulas = told[0].formulas
        for case in dataflow_cases(self.dataflow, self.search_cases):
            draw, timing = np.random.default_rng(case.seed), case.timing
            grouping = told[0].grouping(timing, Sparsity.of(case.gemm))
            numbers = dict(zip(Folds._fields, draw.integers(1, 40, size=len(Folds._fields)).tolist(), strict=True))
            folds = Folds(**(numbers | {"slots": numbers["slots"] + numbers["trips_k"]}))
            for name in ("rows", "cols", "deep_rows", "deep_cols", "trips_m", "trips_n"):
                more = folds._replace(**{name: numbers[name] + int(draw.integers(1, 20))})
                for told_of in (formulas.least_cycles, formulas.least_sends):
                    fewer, now = (np.array(told_of(timing, grouping, 2, each)) for each in (folds, more))
                    assert (now >= fewer).all(), f"{told_of.__name__} falls where {name} grows: {case}"

    def test_what_passes_the_ports_in_all_tiles_is_what_passes_in_each(self) -> None:
        """Of a dataflow in plain formulas: a compiled search prices all tiles at once."""
        told = self.dataflow.in_formulas
        if told is None:
            return
        formulas = told[0].formulas
        for case in dataflow_cases(self.dataflow, self.search_cases):
            draw, timing = np.random.default_rng(case.seed), case.timing
            grouping = told[0].grouping(timing, Sparsity.of(case.gemm))
            numbers = tuple(draw.integers(1, 4, size=2).tolist())
            m, n, k, groups = (draw.integers(1, 9, size=size).tolist() for size in (4, 4, 3, 3))
            passed = formulas.all_sends(timing, grouping, Tiling(m, n, k, groups), *numbers)
            sizes = {"m": [m[1]] * m[0] + [m[3]] * m[2], "n": [n[1]] * n[0] + [n[3]] * n[2]}
            sizes["k"] = [held for held, times in zip(groups, k, strict=True) for _ in range(times)]
            for name, axis in (("west", "n"), ("north", "m"), ("sums", "k")):
                # Whatever the tiles are along the other two.
                for beside in product(*([0] if at == axis else sorted(set(sizes[at])) for at in "mnk")):
                    tiles = [{**dict(zip("mnk", beside, strict=True)), axis: size} for size in sizes[axis]]
                    sends = [
                        formulas.sends(timing, grouping, tile["m"], tile["n"], tile["k"], tile["k"], *numbers)
                        for tile in tiles
                    ]
                    assert getattr(passed, name) == sum(getattr(each, name) for each in sends), f"{name}: {case}"
