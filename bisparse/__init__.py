"""bisparse: what a sparse-training method buys on an accelerator, in cycles, joules and bytes.

    import bisparse
    result = bisparse.simulate("resnet18-tinyimagenet", hardware="sat-vcu1525", recipe="bdwp", sparsity="2:8")
    result.speedup_vs_dense, result.operators

Importing this package imports nothing heavy; each name is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .accel.dataflow_names import check_dataflow_names_with
from .version import __version__

if TYPE_CHECKING:
    from .api import ablate, apply, capture, compare, simulate, train
    from .configs.errors import BisparseError, CaptureError, ConfigError, MappingError, TrainingError
    from .configs.pattern import Pattern
    from .sim.results.simulation_result import SimulationResult
    from .sim.studies.ablation.ablation import Ablation
    from .sim.studies.codesign.codesign import Codesign
    from .studies import codesign, consistent, explore, fit
    from .training.input_shape import InputShape
    from .training.recipes.in_torch import FrozenVarianceAdam

_HOME = {
    "simulate": ".api",
    "compare": ".api",
    "ablate": ".api",
    "capture": ".api",
    "codesign": ".studies",
    "consistent": ".studies",
    "explore": ".studies",
    "fit": ".studies",
    "apply": ".api",
    "train": ".api",
    "BisparseError": ".configs.errors",
    "CaptureError": ".configs.errors",
    "ConfigError": ".configs.errors",
    "MappingError": ".configs.errors",
    "TrainingError": ".configs.errors",
    "Pattern": ".configs.pattern",
    "Ablation": ".sim.studies.ablation.ablation",
    "Codesign": ".sim.studies.codesign.codesign",
    "FrozenVarianceAdam": ".training.recipes.in_torch",
    "SimulationResult": ".sim.results.simulation_result",
    "InputShape": ".training.input_shape",
}

__all__ = [
    "Ablation",
    "BisparseError",
    "CaptureError",
    "Codesign",
    "ConfigError",
    "FrozenVarianceAdam",
    "InputShape",
    "MappingError",
    "Pattern",
    "SimulationResult",
    "TrainingError",
    "__version__",
    "ablate",
    "apply",
    "capture",
    "codesign",
    "compare",
    "consistent",
    "explore",
    "fit",
    "simulate",
    "train",
]


def _known_dataflow(name: str) -> object:
    from .dataflow.dataflows import dataflow_named

    return dataflow_named(name)


# Specifications name dataflows, which a room above them knows: here both are at hand.
check_dataflow_names_with(_known_dataflow)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name], __name__), name)
