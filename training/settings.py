"""What a training run is told. Free of torch.

Its result depends on this, on the contents of its recipe and data, and on the code of its model.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ..configs.errors import ConfigError
from ..configs.pattern import Pattern
from .data import load_data
from .trainable import Optimizer, defaults

Precision = Literal["fp32", "fp16", "bf16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """One training run.

    Attributes:
        model: a name of ``training.trainable``, or ``package.module:factory``.
        data: a name of ``training.data``, or a path.
        recipe: a shipped recipe's name, or a YAML file.
        sparsity: N:M.
        epochs: passes over the training split.
        batch: samples a step.
        optimizer: ``sgd``, ``sgd-momentum`` (0.9) or ``adam`` (decoupled weight decay).
        learning_rate: the highest; it follows a cosine to 0 after the warm-up.
        weight_decay: of the optimizer.
        warmup_epochs: over which the learning rate rises in a straight line; may be a fraction.
        precision: of operands and activations; sums and master weights are FP32.
        seed: of initial weights, order of data, augmentation and whatever the recipe draws.
        shift: most pixels that a training image is moved by along each axis.
        flip: whether training images are mirrored by chance.
        context: symbols that a network reads at once, of a text; the data's own when None.
        resize: side in pixels that the images of a folder are scaled to; as they are when None.
    """

    model: str
    data: str
    recipe: str
    sparsity: str
    epochs: int
    batch: int
    optimizer: Optimizer
    learning_rate: float
    weight_decay: float
    warmup_epochs: float
    precision: Precision = "fp32"
    seed: int = 0
    shift: int = 0
    flip: bool = False
    context: int | None = None
    resize: int | None = None

    def __post_init__(self) -> None:
        Pattern.parse(self.sparsity)
        for name, least in (("epochs", 1), ("batch", 1), ("seed", 0), ("shift", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigError(f"{name}: got {value!r}, need an integer of at least {least}")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ConfigError(f"learning_rate: got {self.learning_rate!r}, need a number above 0")
        for name in ("weight_decay", "warmup_epochs"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(f"{name}: got {value!r}, need a number of at least 0")
        if self.warmup_epochs > self.epochs:
            raise ConfigError(f"warmup_epochs: got {self.warmup_epochs}, need at most the {self.epochs} epochs")
        for name, offered in (("optimizer", get_args(Optimizer)), ("precision", get_args(Precision))):
            if getattr(self, name) not in offered:
                raise ConfigError(f"{name}: got {getattr(self, name)!r}, need one of {', '.join(offered)}")

    def document(self) -> dict[str, Any]:
        """The settings as plain data."""
        return dataclasses.asdict(self)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> TrainingSettings:
        """The settings that a document was made of."""
        return cls(**document)


def settings_for(model: str, data: str, recipe: str, sparsity: str, **given: Any) -> TrainingSettings:
    """Settings with a model's own defaults where nothing else is given.

    Args:
        model: a name, or ``package.module:factory``.
        data: a name, or a path.
        recipe: a name, or a YAML file.
        sparsity: N:M.
        **given: other fields of ``TrainingSettings``; None where the default holds.

    Raises:
        ConfigError: no such model or data, or a setting is wrong.
    """
    read = load_data(data, context=given.get("context"), resize=given.get("resize"))
    own = dataclasses.asdict(defaults(model, read))
    own |= {name: value for name, value in given.items() if value is not None}
    if given.get("warmup_epochs") is None:
        own["warmup_epochs"] = min(own["warmup_epochs"], own["epochs"])
    return TrainingSettings(model=model, data=data, recipe=recipe, sparsity=sparsity, **own)
