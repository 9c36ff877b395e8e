"""What other simulators measured on the same products, and the conventions in which they count.

SCALE-Sim 3.0.0, dense products without stalls on square and oblong arrays: ``configs/peers/scalesim-dense-gemm.csv``.
Its machine is the design ``systolic-textbook``: every latency one, no fold begins before the last one has ended, a
wire for every result.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...accel.specification import Hardware
from ...configs.library import find
from ..product.product_list import ListedProduct, read_products

TEXTBOOK_DESIGN = "systolic-textbook"
"""The shipped design that is SCALE-Sim's machine."""

_MEASURED = "scalesim_total_cycles"


def scalesim_total_cycles(cycles: int) -> int:
    """SCALE-Sim's 'Total Cycles' of a run of so many cycles: the index of the last cycle, counted from zero."""
    return cycles - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleSimRow:
    """One product that SCALE-Sim was run on.

    Attributes:
        product: the product and the size of the array.
        total_cycles: what SCALE-Sim printed.
    """

    product: ListedProduct
    total_cycles: int

    def disagreement(self, textbook: Hardware) -> str | None:
        """None if the textbook design takes the cycles that SCALE-Sim printed, else both."""
        found = scalesim_total_cycles(self.product.on(textbook).cycles)
        if found == self.total_cycles:
            return None
        return f"{self.product.place}: SCALE-Sim {self.total_cycles}, {textbook.name} {found}: {self.product.given}"


def scalesim_rows() -> Iterator[ScaleSimRow]:
    """Every measured product that is shipped."""
    for product in read_products(find("peers", "scalesim-dense-gemm")):
        yield ScaleSimRow(product=product, total_cycles=int(product.given[_MEASURED]))
