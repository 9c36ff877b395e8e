"""Activations, softmax and dropout, each by torch's own function where it has one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from .call import Call


def _plain(compute: Callable[..., torch.Tensor]) -> Callable[[Call], torch.Tensor]:
    return lambda call: compute(call.tensor(0))


def _hard_sigmoid(call: Call) -> torch.Tensor:
    alpha, beta = call.attribute("alpha", 0.2), call.attribute("beta", 0.5)
    if abs(alpha - 1 / 6) < 1e-6 and beta == 0.5:
        return functional.hardsigmoid(call.tensor(0))
    return torch.clamp(call.tensor(0) * alpha + beta, 0, 1)


def _leaky_relu(call: Call) -> torch.Tensor:
    return functional.leaky_relu(call.tensor(0), call.attribute("alpha", 0.01))


def _elu(call: Call) -> torch.Tensor:
    return functional.elu(call.tensor(0), call.attribute("alpha", 1.0))


def _celu(call: Call) -> torch.Tensor:
    return functional.celu(call.tensor(0), call.attribute("alpha", 1.0))


_SELU_ALPHA, _SELU_GAMMA = 1.67326319217681884765625, 1.05070102214813232421875


def _selu(call: Call) -> torch.Tensor:
    alpha, gamma = call.attribute("alpha", _SELU_ALPHA), call.attribute("gamma", _SELU_GAMMA)
    if abs(alpha - _SELU_ALPHA) < 1e-6 and abs(gamma - _SELU_GAMMA) < 1e-6:
        return functional.selu(call.tensor(0))
    return torch.mul(functional.elu(call.tensor(0), alpha), gamma)


def _parametric_relu(call: Call) -> torch.Tensor:
    source, slope = call.tensor(0), call.tensor(1)
    channels = source.shape[1] if source.dim() > 1 else 1
    if call.opset < 7 and slope.numel() == channels:
        slope = slope.reshape(channels, *[1] * (source.dim() - 2))
    by_channel = slope.numel() == channels and (slope.dim() < 2 or slope.shape[-source.dim() + 1] == channels)
    if slope.numel() == 1 or (by_channel and slope.dim() == source.dim() - 1):
        return functional.prelu(source, slope.reshape(-1))
    return torch.where(source < 0, source * slope, source)


def _gelu(call: Call) -> torch.Tensor:
    return functional.gelu(call.tensor(0), approximate=call.attribute("approximate", "none"))


def _swish(call: Call) -> torch.Tensor:
    alpha = call.attribute("alpha", 1.0)
    return functional.silu(call.tensor(0)) if alpha == 1 else call.tensor(0) * torch.sigmoid(call.tensor(0) * alpha)


def _thresholded_relu(call: Call) -> torch.Tensor:
    return functional.threshold(call.tensor(0), call.attribute("alpha", 1.0), 0.0)


def _bias_gelu(call: Call) -> torch.Tensor:
    return functional.gelu(call.tensor(0) + call.tensor(1))


def _fast_gelu(call: Call) -> torch.Tensor:
    source = call.tensor(0) + call.tensor(1) if call.has(1) else call.tensor(0)
    return functional.gelu(source, approximate="tanh")


def _quick_gelu(call: Call) -> torch.Tensor:
    return call.tensor(0) * torch.sigmoid(call.tensor(0) * call.attribute("alpha", 1.702))


def _soft_max(call: Call) -> torch.Tensor:
    return _over_classes(call, functional.softmax)


def _log_soft_max(call: Call) -> torch.Tensor:
    return _over_classes(call, functional.log_softmax)


def _over_classes(call: Call, compute: Callable[..., torch.Tensor]) -> torch.Tensor:
    source = call.tensor(0)
    if call.opset >= 13:
        return compute(source, dim=call.attribute("axis", -1))
    # Up to opset 12 all axes from this one on are one.
    axis = call.attribute("axis", 1) % max(1, source.dim())
    return compute(source.flatten(axis), dim=-1).reshape(source.shape) if source.dim() else torch.ones_like(source)


def _dropout(call: Call) -> torch.Tensor:
    return functional.dropout(call.tensor(0), call.number(1, "ratio", 0.5), training=call.training)


RULES: dict[str, Callable[[Call], torch.Tensor]] = {
    "Celu": _celu,
    "Dropout": _dropout,
    "Elu": _elu,
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _plain(functional.hardswish),
    "LeakyRelu": _leaky_relu,
    "LogSoftmax": _log_soft_max,
    "Mish": _plain(functional.mish),
    "PRelu": _parametric_relu,
    "Relu": _plain(functional.relu),
    "Selu": _selu,
    "Sigmoid": _plain(torch.sigmoid),
    "Softmax": _soft_max,
    "Softplus": _plain(functional.softplus),
    "Softsign": _plain(functional.softsign),
    "Swish": _swish,
    "Tanh": _plain(torch.tanh),
    "ThresholdedRelu": _thresholded_relu,
    "com.microsoft.BiasGelu": _bias_gelu,
    "com.microsoft.FastGelu": _fast_gelu,
    "com.microsoft.Gelu": _gelu,
    "com.microsoft.QuickGelu": _quick_gelu,
}
