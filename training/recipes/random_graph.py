"""Random graphs whose edges join the units of a recurrent layer: which state reaches which, as a mask that stays.

Graphs of Watts and Strogatz (Nature 1998: a ring whose edges are rewired now and then) and of Barabasi and Albert
(Science 1999: each new unit joins old ones in proportion to their edges), as in Darji, Investigating Sparsity in
Recurrent Neural Networks (arXiv 2407.20601), who lays them between input and output; and of Erdos and Renyi (every pair
alike, 1959), with a fixed number of edges. Here a graph is the mask of a layer's state: unit j reaches unit i where an
edge joins them, in every gate the same (assumed).

An edge of the first two joins both ways and no unit joins itself; those of the third are drawn one way. The number of
edges is the nearest to the density that the graph can have: a ring has as many neighbours on either side, a new unit
joins a whole number of others. Each generator draws from its seed alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from ...configs.operand_format import OperandFormat
from ...configs.section import Section
from ...configs.unstructured import Unstructured

if TYPE_CHECKING:
    from ...configs.arrays import BoolArray


class RandomGraph(Section):
    """Which states of a recurrent layer reach which units."""

    kind: Literal["erdos-renyi", "watts-strogatz", "barabasi-albert"] = Field(
        description="every pair alike, a ring with edges rewired, or new units that join those with many edges"
    )
    rewired: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="of watts-strogatz, the share of edges that lead elsewhere than round the ring",
    )

    def mask(self, units: int, density: float, *seed: int) -> BoolArray:
        """Which unit [units] hears which [units].

        Args:
            units: of the layer.
            density: share of pairs that are joined, as near as the graph can have it.
            *seed: of the draw.

        >>> found = RandomGraph(kind="barabasi-albert").mask(64, 0.25, 7)
        >>> bool((found == found.T).all()), int(found.sum()), 0.25 * 64 * 64
        (True, 990, 1024.0)
        """
        import numpy as np

        draw = np.random.default_rng(seed)
        if self.kind == "erdos-renyi":
            found = np.zeros(units * units, dtype=bool)
            found[draw.choice(units * units, max(1, round(density * units * units)), replace=False)] = True
            return found.reshape(units, units)
        found = np.zeros((units, units), dtype=bool)
        edges = (
            _ring(draw, units, density, self.rewired) if self.kind == "watts-strogatz" else _grown(draw, units, density)
        )
        for one, other in edges:
            found[one, other] = found[other, one] = True
        return found

    def unlike(self, sparse: OperandFormat) -> str:
        """Why a graph cannot have a format; empty where it can.

        >>> from bisparse.configs.formats import parse_format
        >>> RandomGraph(kind="erdos-renyi").unlike(parse_format("2:8"))
        'a random graph has a share of zeros and no other rule, 2:8'
        """
        if type(sparse) is not Unstructured or (sparse.rows, sparse.cols) != (1, 1):
            return f"a random graph has a share of zeros and no other rule, {sparse}"
        if self.kind == "barabasi-albert" and sparse.zeros_percent < 50:
            return f"a barabasi-albert graph joins at most half of all pairs, {sparse}"
        return ""


def _ring(draw: Any, units: int, density: float, rewired: float) -> list[tuple[int, int]]:
    """Each unit and its nearest on a ring; edge after edge, some lead to a unit drawn from those not joined yet."""
    reach = min(max(1, round(density * units / 2)), (units - 1) // 2)
    joined: list[set[int]] = [set() for _ in range(units)]
    for distance in range(1, reach + 1):
        for unit in range(units):
            joined[unit].add((unit + distance) % units)
            joined[(unit + distance) % units].add(unit)
    for distance in range(1, reach + 1):
        for unit in range(units):
            near = (unit + distance) % units
            free = [other for other in range(units) if other != unit and other not in joined[unit]]
            if near not in joined[unit] or not free or draw.random() >= rewired:
                continue
            other = free[int(draw.integers(len(free)))]
            joined[unit].discard(near)
            joined[near].discard(unit)
            joined[unit].add(other)
            joined[other].add(unit)
    return [(unit, other) for unit in range(units) for other in sorted(joined[unit]) if unit < other]


def _grown(draw: Any, units: int, density: float) -> list[tuple[int, int]]:
    """A star, then unit after unit joined to so many others, each drawn by the edges that it has."""
    # Of n units that join m each, a star of m + 1 first, 2 m (n - m) of n^2 pairs are joined.
    inside = max(0.0, 1 - 2 * density)
    each = min(max(1, round(units * (1 - math.sqrt(inside)) / 2)), units // 2)
    edges = [(0, other) for other in range(1, each + 1)]
    ends = [end for edge in edges for end in edge]
    for unit in range(each + 1, units):
        chosen: dict[int, None] = {}
        while len(chosen) < each:
            chosen[ends[int(draw.integers(len(ends)))]] = None
        edges.extend((unit, other) for other in chosen)
        ends.extend(end for other in chosen for end in (unit, other))
    return edges
