"""The end of a run: its summary, its weights as a plain model's, and the checksums of what others go on from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...configs.whole_file import write_whole
from ..densities import DENSITIES_FILE
from ..recipes.in_torch import AppliedRecipe
from ..run_checksums import write_checksums
from ..run_summary import CHECKPOINT_FILE, GRAPH_FILE, SUMMARY_FILE, WEIGHTS_FILE, RunSummary
from .checkpoint import save_state


def patterns_of(applied: AppliedRecipe) -> dict[str, dict[str, str]]:
    """Ratio of each pruned stage, by layer and stage."""
    return {
        path: {stage.value: str(own) for stage, own in layer.patterns.items()}
        for path, layer in applied.layers.items()
        if layer.patterns
    }


def machine(device: torch.device, version: str) -> dict[str, Any]:
    """What a run was trained on, as a summary has it.

    Args:
        device: of torch.
        version: of bisparse.
    """
    return {
        "torch_version": torch.__version__,
        "threads": torch.get_num_threads(),
        "bisparse_version": version,
        "device": device.type,
    }


def write_end(directory: Path, summary: RunSummary, model: nn.Module, applied: AppliedRecipe) -> None:
    """Write what a finished run leaves behind; the recipe is taken off the model."""
    applied.remove()
    save_state(directory / WEIGHTS_FILE, model.state_dict())
    text = json.dumps(summary.document(), indent=1, allow_nan=False).encode()
    # Before the summary, which says that the run is finished.
    kept = {name: (directory / name).read_bytes() for name in (DENSITIES_FILE, GRAPH_FILE)}
    write_checksums(directory, {**kept, SUMMARY_FILE: text})
    write_whole(directory / SUMMARY_FILE, text)
    (directory / CHECKPOINT_FILE).unlink(missing_ok=True)
