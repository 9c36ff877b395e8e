"""What steps on one design share, whatever they are of: what was searched, and what products cost."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from ..accel.energy import EnergyModel
from ..accel.energy_table import EnergyTable
from ..accel.specification import Hardware
from ..configs.library import content_hash
from ..dataflow.design_products import DesignProducts
from ..dataflow.objective import Objective
from ..dataflow.scheduler import Mapper
from .options import Options
from .step.costs import CostCache


@dataclass(frozen=True, kw_only=True)
class OnDesign:
    """What all steps on one design share, whatever they are of: what was searched, and what products cost.

    Attributes:
        products: mapped on the design.
        energy: prices of its actions.
        costs: of products.
        mappers: by what a search depends on.
    """

    products: DesignProducts
    energy: EnergyModel
    costs: CostCache
    mappers: dict[tuple[object, ...], Mapper] = field(default_factory=dict)

    def mapper(self, options: Options) -> Mapper:
        """What maps products under some options."""
        key = (options.objective, options.dataflows, options.interleave)
        if key not in self.mappers:
            self.mappers[key] = Mapper(
                hardware=self.products.hardware,
                objective=Objective(name=options.objective, energy=self.energy),
                dataflows=options.dataflows,
                interleave=options.interleave,
                products=self.products,
            )
        return self.mappers[key]


_KEPT_DESIGNS, _KEPT_PRODUCTS = 4, 1024
"""Designs whose searches and costs are kept in this process for the next step on them; products of a design beyond
which the next step on it begins anew: each takes some tens of kilobytes."""

_designs: OrderedDict[str, OnDesign] = OrderedDict()


def on_design(hardware: Hardware, table: EnergyTable) -> OnDesign:
    """What steps on a design share: that of an equal one that was simulated lately, if any was."""
    key = content_hash(hardware.model_dump_json() + table.model_dump_json())
    if key not in _designs or len(_designs[key].products) > _KEPT_PRODUCTS:
        products = DesignProducts(hardware=hardware)
        _designs[key] = OnDesign(
            products=products, energy=EnergyModel.of(hardware, table), costs=CostCache.of_design(products)
        )
    _designs.move_to_end(key)
    while len(_designs) > _KEPT_DESIGNS:
        _designs.popitem(last=False)
    return _designs[key]
