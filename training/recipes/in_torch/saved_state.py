"""What a recipe at work was saved as: that it is of the same recipe, ratio and layers, and where its tensors lie."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ....configs.errors import ConfigError


def check_state(state: Any, ours: dict[str, Any]) -> None:
    """Refuse what another recipe, ratio or model was saved as.

    Args:
        state: that is to be loaded.
        ours: what the recipe at work would be saved as.

    Raises:
        ConfigError: they differ.
    """
    if not isinstance(state, dict) or not ours.keys() <= state.keys():
        raise ConfigError(
            "state: got something else, need what state_dict() of an applied recipe returned; try saving it anew"
        )
    for name in ("recipe", "sparsity"):
        if state[name] != ours[name]:
            raise ConfigError(f"state: got {name} {state[name]}, need {ours[name]}; try apply with what was saved")
    for path in sorted(state["layers"].keys() | ours["layers"].keys()):
        saved, own = (each["layers"].get(path, {}).get("patterns", "no such layer") for each in (state, ours))
        if saved != own:
            raise ConfigError(f"state: {path}: got {saved}, need {own}; try the model and the recipe that were saved")


def on_device(device: torch.device, state: Any) -> Any:
    """A state where a weight lies: what was saved comes back on the CPU."""
    if isinstance(state, dict):
        return {name: on_device(device, each) for name, each in state.items()}
    return state.to(device) if isinstance(state, Tensor) else state
