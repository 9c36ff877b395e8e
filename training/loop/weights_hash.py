"""One number for all weights of a model: two that share it multiply by the same bits."""

from __future__ import annotations

from hashlib import sha256

from torch import nn


def weights_hash(model: nn.Module) -> str:
    """Of all bits of a model's state, as a summary tells it."""
    digest = sha256()
    for name, tensor in model.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
