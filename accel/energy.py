"""Energy: actions counted by the models, times the price of each, plus static power over time.

A price depends on the design (buffer banks, number format, memory technology) and on the energy table. Counts may be
integers or arrays. Source: docs/hardware-model.md, "Energy and resources".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..configs.arrays import FloatArray
from ..configs.sums import sum_in_order
from .energy_table import EnergyTable
from .specification import BYTES_OF, Hardware

COMPONENT_OF: dict[str, str] = {
    "multiplies": "multiply",
    "accumulates": "accumulate",
    "choices": "selection",
    "register_bits": "registers",
    "link_bits": "links",
    "west_read_bits": "west buffer",
    "west_write_bits": "west buffer",
    "north_read_bits": "north buffer",
    "north_write_bits": "north buffer",
    "output_read_bits": "output buffer",
    "output_write_bits": "output buffer",
    "dram_bits": "DRAM",
    "compares": "reduction",
    "update_multiplies": "update",
    "update_accumulates": "update",
    "vector_operations": "vector",
}
"""The component that each counted action belongs to."""

Price = float | FloatArray

GATED = ("multiplies", "accumulates")
"""Actions that a PE saves when an operand is zero and the design gates zeros. Operands hop, registers are clocked."""

COMPONENTS: tuple[str, ...] = (*dict.fromkeys(COMPONENT_OF.values()), "static")

Actions = Mapping[str, Any]
"""Counts by action name, see ``COMPONENT_OF``: integers, or arrays that broadcast."""


def gated(actions: Actions, effectual_share: float) -> Actions:
    """The actions of an array that gates zeros, of whose multiply-accumulates a share has two non-zero operands.

    >>> gated({"multiplies": 8, "accumulates": 8, "link_bits": 16}, 0.25)
    {'multiplies': 2.0, 'accumulates': 2.0, 'link_bits': 16}
    """
    return {name: count * effectual_share if name in GATED else count for name, count in actions.items()}


def joules_of(counts: Any, joules_each: Any) -> Any:
    """Joules of some actions, by how often each happens and what it takes; summed in their order.

    >>> joules_of((2, 3), (0.5, 0.25))
    1.75
    """
    total: Any = 0
    for at in range(len(counts)):
        total = total + counts[at] * joules_each[at]
    return total


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyModel:
    """Prices of every action on one design, or on many: an array, [S], for each then.

    Attributes:
        prices_pj: picojoules an action.
        static_watts: power that flows whatever happens.
        notes: what a report must say of the prices; of many designs nothing.
    """

    prices_pj: Mapping[str, Price]
    static_watts: Price
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, hardware: Hardware, table: EnergyTable) -> EnergyModel:
        """Price a design's actions with a table.

        Raises:
            ConfigError: the table lacks the design's number format or memory technology.
        """
        buffers = {
            "west": hardware.buffers.west,
            "north": hardware.buffers.north,
            "output": hardware.buffers.output,
        }
        banks = {name: table.sram_of(buffer.capacity_bytes // buffer.banks) for name, buffer in buffers.items()}
        leakage_mw = table.pe_leakage_mw * hardware.peak_macs_per_cycle + sum_in_order(
            banks[name].leakage_mw * buffer.banks for name, buffer in buffers.items()
        )
        prices = {
            "multiplies": table.multiply(hardware.tensor_engine.multiplied_as),
            "accumulates": table.accumulate(hardware.tensor_engine.summed_as),
            "choices": (table.select_pj_per_bit or 0.0) * 8 * BYTES_OF[hardware.tensor_engine.precision],
            "register_bits": table.register_pj_per_bit,
            "link_bits": table.link_hop_pj_per_bit,
            "dram_bits": table.dram(hardware.dram.technology),
            "compares": table.compare_pj,
            "update_multiplies": table.update_multiply_pj,
            "update_accumulates": table.update_accumulate_pj,
            "vector_operations": table.vector_op_pj,
        }
        for name, bank in banks.items():
            prices[f"{name}_read_bits"] = bank.read_pj_per_bit
            prices[f"{name}_write_bits"] = bank.write_pj_per_bit
        notes = [f"{name} buffer: {bank.note}" for name, bank in banks.items() if bank.note]
        if table.select_pj_per_bit is None and hardware.tensor_engine.selects:
            notes.append(f"table {table.name} has no select_pj_per_bit: picking operands out of groups is not counted")
        return cls(prices_pj=prices, static_watts=table.static_watts + leakage_mw * 1e-3, notes=tuple(notes))

    @classmethod
    def beside(cls, models: Sequence[EnergyModel]) -> EnergyModel:
        """The prices of many designs as those of one."""
        return cls(
            prices_pj={name: np.array([each.prices_pj[name] for each in models]) for name in models[0].prices_pj},
            static_watts=np.array([each.static_watts for each in models]),
        )

    def dynamic_joules(self, actions: Actions) -> Any:
        """Joules of some actions: a float, or an array when the counts are arrays."""
        return joules_of(tuple(actions.values()), tuple(self.joules_each(name) for name in actions))

    def joules_each(self, action: str) -> Price:
        """Joules of one action."""
        return self.prices_pj[action] * 1e-12

    def spent_joules(self, actions: Actions, seconds: Any = None) -> dict[str, Any]:
        """Joules by component of some actions, and of static power for a time; only what is spent is named."""
        joules: dict[str, Any] = {}
        for name, count in actions.items():
            component = COMPONENT_OF[name]
            joules[component] = joules.get(component, 0.0) + count * self.prices_pj[name] * 1e-12
        if seconds is not None:
            joules["static"] = self.static_watts * seconds
        return joules

    def by_component(self, actions: Actions, seconds: Any) -> dict[str, Any]:
        """Joules by component of a step that lasts ``seconds``."""
        return dict.fromkeys(COMPONENTS, 0.0) | self.spent_joules(actions, seconds)
