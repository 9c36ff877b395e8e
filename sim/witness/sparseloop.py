"""Sparseloop's own outputs for sparse tensor cores (MICRO 2022, fig. 15 of its artefact), and ours in its convention.

``configs/peers/sparseloop-outputs.csv``: two products, W [M, K] times X [K, N] in int8, four densities of W. Sparseloop
gives the time of the slowest level (multipliers, shared memory, DRAM), no level waiting for another, and counts DRAM's
accesses in values, indices left out. So of ours: the longest of the cycles in which PEs issue, of the port that both
operands share, and of DRAM; and bytes less those of indices. Two designs are compared to the last cycle and value, the
dense tensor core and the one of 2:4; of the flexible one each ratio is told. Its two designs with compressed
activations are not compared.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from ...accel.specification import BYTES_OF, Hardware, load_hardware
from ...configs.library import find
from ...configs.pattern import DENSE, Pattern
from ...dataflow.formats.stored import Stored, stored_bytes
from ...dataflow.forms import best_form
from ...dataflow.product_cost import ProductCost, product_cost
from ..product.single_product import plain_product

_STC, _FLEXIBLE = "sparseloop-stc.yaml", "sparseloop-stc-flexible.yaml"

_DESIGNS: dict[str, tuple[str, dict[str, str]]] = {
    "TC-RF2x-24-bandwidth": (_STC, {}),
    "STC-RF2x-24-bandwidth": (_STC, {"0.25": "2:4", "0.3333": "2:4", "0.5": "2:4"}),
    "STC_flexible-RF2x-24-bandwidth": (_FLEXIBLE, {"0.25": "2:8", "0.3333": "2:6", "0.5": "2:4"}),
    "STC_flexible-RF2x-24-bandwidth-RLE": (_FLEXIBLE, {"0.25": "2:8", "0.3333": "2:6", "0.5": "2:4"}),
}
"""Of its designs that are compared: the file of ours, and the pattern in which weights of a density lie."""

_EXACT = ("TC-RF2x-24-bandwidth", "STC-RF2x-24-bandwidth")


@dataclass(frozen=True, kw_only=True)
class SparseloopRow:
    """One product that Sparseloop was run on.

    Attributes:
        place: ``file:line``.
        design: its name there.
        hardware: ours.
        m: rows of the weights.
        n: columns of the activations.
        k: depth.
        density: of the weights, as it stands.
        pattern: in which they lie.
        cycles: Sparseloop's.
        accesses: of DRAM, in values.
    """

    place: str
    design: str
    hardware: Hardware
    m: int
    n: int
    k: int
    density: str
    pattern: Pattern
    cycles: int
    accesses: int

    @cached_property
    def _cost(self) -> ProductCost:
        # Weights are operand B here: they stay, activations stream past them.
        gemm = plain_product(self.n, self.m, self.k, self.pattern)
        choice = best_form(gemm, self.hardware)
        return product_cost(gemm.formed(choice.mapping.form), self.hardware, choice.mapping)

    @property
    def our_cycles(self) -> int:
        """Of the slowest of PEs that issue, the port that the operands share, and DRAM."""
        cost = self._cost
        busy = {name: cycles for name, cycles in cost.busy.items() if name != "array"}
        return int(max(cost.causes["busy"], *busy.values()))

    @property
    def our_accesses(self) -> int:
        """Bytes to and from DRAM, less those of the indices of weights that are loaded once."""
        moved = int(self._cost.read_bytes + self._cost.write_bytes)
        if self.pattern.is_dense:
            return moved
        kept = self.m * self.pattern.slots(self.k)
        value_bytes = BYTES_OF[self.hardware.tensor_engine.precision]
        stored = stored_bytes(kept, self.m * self.k, Stored.of(self.pattern, value_bytes))
        return int(moved - stored + kept * value_bytes)

    def disagreement(self) -> str | None:
        """None if cycles and accesses are Sparseloop's, else what differs."""
        ours, theirs = (self.our_cycles, self.our_accesses), (self.cycles, self.accesses)
        if ours == theirs:
            return None
        return f"{self.place}: Sparseloop {theirs[0]} cycles, {theirs[1]} accesses; here {ours[0]}, {ours[1]}"


def sparseloop_rows(*, exact: bool = False) -> Iterator[SparseloopRow]:
    """The rows of the designs that are compared; of those that must be equal alone, if ``exact``."""
    path = find("peers", "sparseloop-outputs")
    for line, row in enumerate(csv.DictReader(path.read_text(encoding="utf-8").splitlines()), start=2):
        name = row["design"]
        if name not in (_EXACT if exact else _DESIGNS):
            continue
        file, patterns = _DESIGNS[name]
        density = row["weight_density"]
        yield SparseloopRow(
            place=f"{path.name}:{line}",
            design=name,
            hardware=load_hardware(str(path.parent / file)).model,
            m=int(row["M"]),
            n=int(row["N"]),
            k=int(row["K"]),
            density=density,
            pattern=Pattern.parse(patterns[density]) if density in patterns else DENSE,
            cycles=int(row["cycles"]),
            accesses=int(row["dram_scalar_accesses"]),
        )
