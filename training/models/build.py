"""Building a network for a data set: one of the trainable models by name, or the user's own factory."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import nn

from ...configs.errors import CaptureError, ConfigError
from ..capture.factories import load_factory
from ..data.data_set import DataSet
from .attention import Activation
from .convnet import ConvNet
from .gpt2 import Gpt2, start_small
from .mlp import MLP
from .recurrent import Cells, RecurrentText
from .resnet import resnet9
from .vit import VisionTransformer

_RESNET9_WIDTH = 16
_MOST_PATCHES = 64
_GPT_WIDTH = 64
_CELLS_WIDTH = 64
_CELLS_HIDDEN = 128
_POSITION_DEVIATION = 0.2
"""Of the vision transformer's positions: the usual 0.02 drowns in a patch that torch's own start makes about 0.6."""


def _mlp(data: DataSet) -> nn.Module:
    inputs = 1
    for extent in data.sample_shape:
        inputs *= extent
    mlp = MLP(inputs=inputs, classes=data.classes)
    for module in mlp.modules():
        if isinstance(module, nn.Linear):
            # He et al., ICCV 2015: without normalisation, torch's own start needs a learning rate close to divergence.
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)
    return mlp


def _convnet(data: DataSet) -> nn.Module:
    return ConvNet(in_channels=data.sample_shape[0], classes=data.classes)


def _resnet9(data: DataSet) -> nn.Module:
    channels, height, width = data.sample_shape
    if min(height, width) < 8:
        raise ConfigError(f"resnet9: got images of {height}x{width} in {data.name}, need 8x8 or more; try convnet")
    return resnet9(width=_RESNET9_WIDTH, in_channels=channels, classes=data.classes, image=(height, width))


def _vit(data: DataSet) -> nn.Module:
    channels, height, width = data.sample_shape
    patch = _patch(height)
    if height != width or patch is None:
        raise ConfigError(
            f"vit: got images of {height}x{width} in {data.name}, need square ones whose side a patch divides; "
            "try convnet"
        )
    vit = VisionTransformer(
        image=height, patch=patch, width=64, depth=2, heads=4, classes=data.classes, in_channels=channels
    )
    nn.init.trunc_normal_(vit.class_token, std=_POSITION_DEVIATION)
    nn.init.trunc_normal_(vit.positions, std=_POSITION_DEVIATION)
    return vit


def _patch(image: int) -> int | None:
    """The smallest side of a patch that cuts the image into at most 64, and into more than one."""
    fitting = (side for side in range(2, image) if image % side == 0 and (image // side) ** 2 <= _MOST_PATCHES)
    return next(fitting, None)


def _gpt(data: DataSet, activation: Activation = "gelu-tanh") -> nn.Module:
    gpt = Gpt2(
        vocabulary=max(data.classes, data.vocabulary),
        longest=data.sample_shape[0],
        width=_GPT_WIDTH,
        depth=2,
        heads=4,
        dropout=0.0,
        activation=activation,
    )
    return start_small(gpt, _GPT_WIDTH)


def _of_cells(cells: Cells) -> Callable[[DataSet], nn.Module]:
    def build(data: DataSet) -> nn.Module:
        return RecurrentText(cells, vocabulary=data.classes, width=_CELLS_WIDTH, hidden=_CELLS_HIDDEN)

    return build


BUILDERS: dict[str, Callable[[DataSet], nn.Module]] = {
    "mlp": _mlp,
    "convnet": _convnet,
    "resnet9": _resnet9,
    "vit": _vit,
    "gpt": _gpt,
    "gpt-squared-relu": partial(_gpt, activation="squared-relu"),
    "lstm": _of_cells("lstm"),
    "gru": _of_cells("gru"),
    "rnn": _of_cells("rnn"),
}
"""By the names of ``training.trainable``. Initial weights come from torch's generator: seed it first."""


def build_from_factory(path: str, data: DataSet) -> nn.Module:
    """The module of the user's factory.

    Args:
        path: ``package.module:factory``; called with ``classes``, ``sample_shape``, ``vocabulary`` where it takes them.
        data: what it is to be trained on.

    Raises:
        CaptureError: it cannot be found or called, or it returns something else.
    """
    factory = load_factory(path)
    offered = {"classes": data.classes, "sample_shape": data.sample_shape, "vocabulary": data.vocabulary}
    parameters = _parameters(factory)
    takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    taken = {name: value for name, value in offered.items() if takes_any or name in parameters}
    needed = [
        name
        for name, parameter in parameters.items()
        if parameter.default is inspect.Parameter.empty
        and parameter.kind not in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        and (name not in taken or parameter.kind is inspect.Parameter.POSITIONAL_ONLY)
    ]
    if needed:
        raise CaptureError(
            f"{path}: got a factory that needs {needed[0]!r}, need one that takes nothing but classes=, "
            "sample_shape= and vocabulary=; try a function around it"
        )
    try:
        module = factory(**taken)
    except Exception as error:
        first_line = str(error).strip().partition("\n")[0]
        raise CaptureError(f"{path}: got {type(error).__name__}: {first_line}, need it to return a module") from error
    if not isinstance(module, torch.nn.Module):
        raise CaptureError(f"{path}: got a {type(module).__name__}, need a torch.nn.Module; try returning the network")
    return module


def _parameters(factory: Callable[..., object]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(factory).parameters
    except (TypeError, ValueError):
        # A callable written in C may not tell; it is called with nothing.
        return {}
