"""Masks of zeros without a rule that are the smallest weights of a whole network: one list of all layers' elements."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ....configs.balanced import Balanced
from ....configs.errors import ConfigError
from ....configs.operand_format import OperandFormat
from ....configs.unstructured import Unstructured


def whole_network_masks(weights: Mapping[str, Tensor], formats: Mapping[str, OperandFormat]) -> dict[str, Tensor]:
    """Masks by layer; together they keep what the layers' own shares would.

    N:M keeps its rule in every layer, and has no mask here. Of equal weights the first layer's are kept, and of one
    layer's those that are stored first.

    Args:
        weights: of the layers, in the network's order.
        formats: of each.

    Raises:
        ConfigError: zeros come in blocks, or are balanced.
    """
    listed = {path: each for path, each in formats.items() if isinstance(each, Unstructured)}
    for path, sparse in listed.items():
        if isinstance(sparse, Balanced) or (sparse.rows, sparse.cols) != (1, 1):
            raise ConfigError(
                f"{path}: got {sparse} in one list of the whole network, need zeros without a rule; try "
                f"{sparse.zeros_percent:g}%"
            )
    if not listed:
        return {}
    sizes = [weights[path].numel() for path in listed]
    kept = sum(max(1, round(each.density * size)) for each, size in zip(listed.values(), sizes, strict=True))
    order = torch.cat([weights[path].detach().abs().flatten() for path in listed]).sort(descending=True, stable=True)
    mask = torch.zeros(sum(sizes), dtype=torch.bool, device=order.indices.device)
    mask[order.indices[:kept]] = True
    owns = torch.split(mask, sizes)
    return {path: own.reshape(weights[path].shape) for path, own in zip(listed, owns, strict=True)}
