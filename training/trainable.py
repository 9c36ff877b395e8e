"""The networks that train by name, with the settings that dense training takes unless told otherwise. Free of torch.

The settings were chosen by the loss and accuracy of the *dense* network on the validation split, and never on the test
split nor for a recipe, so that every recipe stands against the same opponent.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..configs.errors import ConfigError
from ..configs.needs import check_torch
from .data.data_set import DataSet, Kind

Optimizer = Literal["sgd", "sgd-momentum", "adam"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingDefaults:
    """Settings of a training run that a user may leave out; the learning rate follows a cosine after its warm-up.

    Attributes:
        epochs: of the whole run.
        batch: samples a step.
        optimizer: ``adam`` decouples its weight decay (AdamW); ``sgd-momentum`` has a momentum of 0.9.
        learning_rate: the highest.
        weight_decay: of the optimizer.
        warmup_epochs: over which the learning rate rises from 0, linearly; may be a fraction.
    """

    epochs: int
    batch: int
    optimizer: Optimizer
    learning_rate: float
    weight_decay: float
    warmup_epochs: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainableModel:
    """One network that trains by name.

    Attributes:
        name: of the model.
        title: the network in words.
        kinds: kinds of data that it takes.
        defaults: settings for any data.
        of_data: settings for a data set by its name, where others do better.
    """

    name: str
    title: str
    kinds: tuple[Kind, ...]
    defaults: TrainingDefaults
    of_data: Mapping[str, TrainingDefaults] = field(default_factory=dict)


def defaults(model: str, data: DataSet) -> TrainingDefaults:
    """The settings of a run that says nothing else.

    Args:
        model: a name of ``TRAINABLE``, or ``package.module:factory``.
        data: what it is trained on.

    Raises:
        ConfigError: no such model, or it does not take such data.
    """
    if ":" in model:
        return _FACTORY_DEFAULTS[data.kind]
    known = _known(model, data)
    return known.of_data.get(data.name, known.defaults)


def build(model: str, data: DataSet) -> Any:
    """A new ``torch.nn.Module`` for a data set; its initial weights come from torch's generator: seed it first.

    Args:
        model: a name of ``TRAINABLE``, or ``package.module:factory``, a function that takes nothing, or any of
            ``classes=``, ``sample_shape=`` and ``vocabulary=``.
        data: what it is to be trained on.

    Raises:
        ConfigError: torch is missing, no such model, or it does not take such data.
        CaptureError: the factory cannot be found or called, or returns no module.
    """
    check_torch()
    # By name, so that this module's own imports stay free of torch.
    builders = importlib.import_module(".models.build", __package__)
    if ":" in model:
        return builders.build_from_factory(model, data)
    return builders.BUILDERS[_known(model, data).name](data)


def _known(model: str, data: DataSet) -> TrainableModel:
    if model not in TRAINABLE:
        near = difflib.get_close_matches(model.lower(), TRAINABLE, n=1)
        hint = f"; try {near[0]}" if near else ""
        raise ConfigError(f"model: got {model!r}, need one of {', '.join(TRAINABLE)} or package.module:factory{hint}")
    known = TRAINABLE[model]
    if data.kind not in known.kinds:
        fitting = (other.name for other in TRAINABLE.values() if data.kind in other.kinds)
        hint = next(fitting, "package.module:factory")
        raise ConfigError(f"model: got {model} for {data.name} ({data.kind}), need a model of {data.kind}; try {hint}")
    return known


_OF_SAMPLES = TrainingDefaults(
    epochs=10, batch=100, optimizer="adam", learning_rate=1e-3, weight_decay=0.01, warmup_epochs=1.0
)
_OF_TOKENS = replace(_OF_SAMPLES, batch=32)
_FACTORY_DEFAULTS: dict[Kind, TrainingDefaults] = {
    "images": _OF_SAMPLES,
    "features": _OF_SAMPLES,
    "text": TrainingDefaults(
        epochs=2, batch=32, optimizer="adam", learning_rate=1e-3, weight_decay=0.01, warmup_epochs=0.25
    ),
    "sequences": _OF_TOKENS,
    "labelled-sequences": _OF_TOKENS,
}


def _of_cells(learning_rate: float) -> TrainingDefaults:
    return TrainingDefaults(
        epochs=2, batch=32, optimizer="adam", learning_rate=learning_rate, weight_decay=0.01, warmup_epochs=0.25
    )


_ALL = (
    TrainableModel(
        name="mlp",
        title="MLP: three hidden layers of 256 units",
        kinds=("images", "features"),
        defaults=TrainingDefaults(
            epochs=10, batch=32, optimizer="sgd-momentum", learning_rate=0.05, weight_decay=1e-3, warmup_epochs=1.0
        ),
        of_data={
            "mnist-5k": TrainingDefaults(
                epochs=10, batch=32, optimizer="sgd-momentum", learning_rate=0.02, weight_decay=1e-3, warmup_epochs=1.0
            )
        },
    ),
    TrainableModel(
        name="convnet",
        title="ConvNet: four 3x3 convolutions of 32, 32, 64 and 64 channels, and a classifier",
        kinds=("images",),
        defaults=TrainingDefaults(
            epochs=8, batch=50, optimizer="sgd-momentum", learning_rate=0.1, weight_decay=5e-4, warmup_epochs=1.0
        ),
    ),
    TrainableModel(
        name="resnet9",
        title="ResNet-9 at a quarter of its width: eight 3x3 convolutions of 16 to 128 channels, and a classifier",
        kinds=("images",),
        defaults=TrainingDefaults(
            epochs=5, batch=50, optimizer="sgd-momentum", learning_rate=0.05, weight_decay=5e-4, warmup_epochs=1.0
        ),
    ),
    TrainableModel(
        name="vit",
        title="ViT: at most 64 patches, width 64, depth 2, 4 heads, no dropout",
        kinds=("images",),
        defaults=TrainingDefaults(
            epochs=20, batch=32, optimizer="adam", learning_rate=3e-3, weight_decay=0.05, warmup_epochs=2.0
        ),
        of_data={
            "mnist-5k": TrainingDefaults(
                epochs=10, batch=50, optimizer="adam", learning_rate=3e-3, weight_decay=0.05, warmup_epochs=2.0
            )
        },
    ),
    TrainableModel(
        name="gpt",
        title="GPT: width 64, depth 2, 4 heads, tied head, no dropout",
        kinds=("text", "sequences"),
        defaults=TrainingDefaults(
            epochs=2, batch=32, optimizer="adam", learning_rate=1e-2, weight_decay=0.01, warmup_epochs=0.5
        ),
    ),
    TrainableModel(
        name="gpt-squared-relu",
        title="GPT: the same with squared ReLUs in its feed-forward layers, and its settings",
        kinds=("text", "sequences"),
        defaults=TrainingDefaults(
            epochs=2, batch=32, optimizer="adam", learning_rate=1e-2, weight_decay=0.01, warmup_epochs=0.5
        ),
    ),
    TrainableModel(
        name="lstm",
        title="LSTM: an embedding of width 64, one layer of 128 units, a head",
        kinds=("text",),
        defaults=_of_cells(4e-2),
    ),
    TrainableModel(
        name="gru",
        title="GRU: an embedding of width 64, one layer of 128 units, a head",
        kinds=("text",),
        defaults=_of_cells(2e-2),
    ),
    TrainableModel(
        name="rnn",
        title="RNN: an embedding of width 64, one layer of 128 units with tanh, a head",
        kinds=("text",),
        defaults=_of_cells(6e-3),
    ),
)

TRAINABLE: dict[str, TrainableModel] = {model.name: model for model in _ALL}
