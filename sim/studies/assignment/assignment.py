"""Ratios assigned to layers, as plain data: what each layer got, what the step costs, and uniform ratios beside it.

What a ratio costs in accuracy is judged by a proxy, measured on a trained network before anything is trained with the
ratio. Equal proxies promise no equal accuracy: train both to know.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from ...results.plain_data import plain_data
from ...results.simulation_result import Assumption, Input

SCHEMA_VERSION = 1

ProxyName = Literal["magnitude", "sensitivity"]
PROXIES: tuple[ProxyName, ...] = ("magnitude", "sensitivity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What may be lost of one measure.

    Attributes:
        measure: ``kept magnitude``, a share of all the weights' magnitude, to be large; or ``loss rise``, to be small:
            the sum over layers of what pruning each alone adds to the validation loss, in nats, a fall as nothing.
        stages: whose masks are measured.
        limit: the least kept, or the largest rise.
        reached: by the assignment.
    """

    measure: Literal["kept magnitude", "loss rise"]
    stages: tuple[str, ...]
    limit: float
    reached: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignedLayer:
    """One layer in one stage.

    Attributes:
        module: dotted path.
        stage: ``FF`` or ``BP``.
        sparsity: N:M assigned, or ``dense``.
        weights: of the layer.
        kept_magnitude: share of the weights' magnitude that the mask keeps.
        loss_rise: with this mask alone; None where it was not measured.
        cycles: of its product in the step, exposed.
        dense_cycles: of its product in the dense step.
    """

    module: str
    stage: str
    sparsity: str
    weights: int
    kept_magnitude: float
    loss_rise: float | None
    cycles: int
    dense_cycles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioStep:
    """The simulated step of an assignment, or of one ratio for all layers.

    Attributes:
        sparsity: N:M of all layers, or ``per layer``.
        total_cycles: of the step.
        step_seconds: of the step.
        energy_joules: of the step.
        speedup_vs_dense: dense cycles over these.
        energy_ratio_vs_dense: this energy over the dense step's.
        reached: what is reached of each budget, in order.
        within: whether every budget is kept.
    """

    sparsity: str
    total_cycles: int
    step_seconds: float
    energy_joules: float
    speedup_vs_dense: float
    energy_ratio_vs_dense: float
    reached: tuple[float, ...]
    within: bool


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """Ratios by layer for one model, recipe and design.

    Attributes:
        bisparse_version: that made it.
        inputs: hardware, workload, recipe, energy table and layer costs, with content hashes.
        title: of the hardware and recipe, for people.
        batch: samples in the step.
        optimizer: of the update.
        proxy: what accuracy is judged by.
        like: the uniform ratio that set the budgets; empty when they were given.
        ratios: that were chosen from.
        budgets: what may be lost, and was.
        layers: a row a layer and stage.
        assigned: the step with these ratios.
        uniform: the step with each ratio in all layers.
        predicted_cycles: of the step, layers summed as each was in the step of a uniform ratio.
        bound_cycles: no assignment within the budgets sums to fewer; one may be simulated as faster.
        simulated: assignments within the budgets, of which this is the fastest; uniform ratios are among them.
        assumptions: every parameter with its status.
    """

    bisparse_version: str
    inputs: dict[str, Input]
    title: dict[str, str]
    batch: int
    optimizer: str
    proxy: ProxyName
    like: str
    ratios: tuple[str, ...]
    budgets: tuple[Budget, ...]
    layers: tuple[AssignedLayer, ...]
    assigned: RatioStep
    uniform: tuple[RatioStep, ...]
    predicted_cycles: float
    bound_cycles: float
    simulated: int
    assumptions: tuple[Assumption, ...]

    @property
    def best_uniform(self) -> RatioStep | None:
        """The fastest uniform ratio within the budgets; None when none is."""
        return min((each for each in self.uniform if each.within), key=lambda each: each.total_cycles, default=None)

    def document(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        own = {each.name: plain_data(getattr(self, each.name)) for each in fields(self)}
        return {"schema_version": SCHEMA_VERSION, "kind": "assignment", **own}
