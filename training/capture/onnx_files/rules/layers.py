"""Normalisations. Of a batch: by its own statistics in a training step, by the file's in inference."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from .call import Call, Result


def _batch(call: Call) -> torch.Tensor:
    if call.attribute("spatial", 1) != 1:
        raise call.node.error("got spatial=0, need statistics of a channel; try exporting at opset 9 or later")
    mean, variance = call.optional(3), call.optional(4)
    if call.training and any(each is not None and each.requires_grad for each in (mean, variance)):
        # Exporters keep equal tensors once: statistics that are a weight too are not to be written over.
        mean = variance = None
    return functional.batch_norm(
        call.tensor(0),
        mean,
        variance,
        call.tensor(1),
        call.tensor(2),
        training=call.training,
        momentum=1 - call.attribute("momentum", 0.9),
        eps=call.attribute("epsilon", 1e-5),
    )


def _layer(call: Call) -> torch.Tensor:
    source, scale = call.tensor(0), call.tensor(1)
    axis = call.attribute("axis", -1) % source.dim()
    extents = source.shape[axis:]
    shift = call.optional(2)
    if scale.shape != extents:
        scale = scale.expand(extents)
    if shift is not None and shift.shape != extents:
        shift = shift.expand(extents)
    return functional.layer_norm(source, extents, scale, shift, call.attribute("epsilon", 1e-5))


def _root_mean_square(call: Call) -> torch.Tensor:
    source = call.tensor(0)
    axis = call.attribute("axis", -1) % source.dim()
    extents = source.shape[axis:]
    return functional.rms_norm(source, list(extents), call.tensor(1).expand(extents), call.attribute("epsilon", 1e-5))


def _instance(call: Call) -> torch.Tensor:
    return functional.instance_norm(
        call.tensor(0), weight=call.tensor(1), bias=call.tensor(2), eps=call.attribute("epsilon", 1e-5)
    )


def _group(call: Call) -> torch.Tensor:
    source, scale, shift = (call.tensor(place) for place in range(3))
    groups, channels = call.attribute("num_groups"), source.shape[1]
    if scale.numel() == groups != channels:
        # Up to opset 20 a scale is of a group.
        scale, shift = (each.repeat_interleave(channels // groups) for each in (scale, shift))
    return functional.group_norm(source, groups, scale, shift, call.attribute("epsilon", 1e-5))


def _skip_layer(call: Call) -> Result:
    """Of Microsoft's domain: a residual, perhaps a bias, and the normalisation of their sum, which is given on too."""
    total = call.tensor(0) + call.tensor(1)
    if call.has(4):
        total = total + call.tensor(4)
    epsilon = call.attribute("epsilon", 1e-12)
    return functional.layer_norm(total, total.shape[-1:], call.tensor(2), call.optional(3), epsilon), None, None, total


def _length(call: Call) -> torch.Tensor:
    return functional.normalize(
        call.tensor(0), p=call.attribute("p", 2), dim=call.attribute("axis", -1), eps=torch.finfo(torch.float32).tiny
    )


def _mean_variance(call: Call) -> torch.Tensor:
    source, axes = call.tensor(0), list(call.attribute("axes", (0, 2, 3)))
    centred = source - source.mean(axes, keepdim=True)
    return centred / (source.std(axes, correction=0, keepdim=True) + 1e-9)


def _local_response(call: Call) -> torch.Tensor:
    source, size = call.tensor(0), call.attribute("size")
    settings = (size, call.attribute("alpha", 1e-4), call.attribute("beta", 0.75), call.attribute("bias", 1.0))
    if size % 2:
        return functional.local_response_norm(source, *settings)
    # The odd channel of an even window lies behind in ONNX and before in torch.
    return functional.local_response_norm(source.flip(1), *settings).flip(1)


RULES: dict[str, Callable[[Call], Result]] = {
    "BatchNormalization": _batch,
    "GroupNormalization": _group,
    "InstanceNormalization": _instance,
    "LRN": _local_response,
    "LayerNormalization": _layer,
    "LpNormalization": _length,
    "MeanVarianceNormalization": _mean_variance,
    "RMSNormalization": _root_mean_square,
    # ONNX Runtime's, which it writes into ONNX's own domain.
    "SimplifiedLayerNormalization": _root_mean_square,
    "com.microsoft.SkipLayerNormalization": _skip_layer,
}
