"""What a training run is told. Free of torch.

Its result depends on this, on the contents of its recipe and data, and on the code of its model. A setting is declared
once: checks, keywords of the Python API and options of ``bisparse train`` and ``codesign`` are derived from the fields
of ``TrainingSettings``, in their order. Imports nothing heavy, for the sake of the command line's help.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from ..configs.errors import ConfigError
from ..configs.formats import parse_format
from ..configs.option import check_keywords, check_options, option
from ..configs.option_kinds import Number, OneOf, Switch, Text, WholeNumber

if TYPE_CHECKING:
    from .trainable import Optimizer

Precision = Literal["fp32", "fp16", "bf16"]

_OF_THE_MODEL = "the model's own"


def _optimizers() -> Iterable[str]:
    from .trainable import Optimizer

    return get_args(Optimizer)


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
        shift: most pixels that a training image is moved by along each axis.
        flip: whether training images are mirrored by chance.
        context: symbols that a network reads at once, of a text; the data's own when None.
        resize: side in pixels that the images of a folder are scaled to; as they are when None.
        start: a run's folder or a file of weights that training begins with; weights are drawn when None.
        seed: of initial weights, order of data, augmentation and whatever the recipe draws.
    """

    model: str = field(
        metadata=option(
            Text(),
            help="mlp, convnet, resnet9, vit, gpt, or your own factory.",
            metavar="NAME|PACKAGE.MODULE:FACTORY",
        )
    )
    data: str = field(
        metadata=option(
            Text(),
            help="digits, mnist-5k, pydoc, kjv, or your own .npz, .txt or folder of images (train/CLASS/*.png).",
            metavar="NAME|PATH",
        )
    )
    recipe: str = field(metadata=option(Text(), help="Shipped recipe or YAML file.", metavar="NAME|FILE"))
    sparsity: str = field(
        metadata=option(
            Text(),
            help="N:M, N kept of every M, 1 <= N <= M <= 32, or a share of zeros such as 80%; recipes that prune "
            "nothing do without.",
            metavar="N:M",
        )
    )
    epochs: int = field(
        metadata=option(
            WholeNumber(1), help="Passes over the training split.", metavar="E", example=10, usual=_OF_THE_MODEL
        )
    )
    batch: int = field(
        metadata=option(WholeNumber(1), help="Samples a step.", metavar="B", example=100, usual=_OF_THE_MODEL)
    )
    optimizer: Optimizer = field(
        metadata=option(OneOf(_optimizers), help="sgd, sgd-momentum or adam.", metavar="NAME", usual=_OF_THE_MODEL)
    )
    learning_rate: float = field(
        metadata=option(
            Number(at_least=0, above=True),
            help="The highest, of a cosine with warm-up.",
            metavar="R",
            usual=_OF_THE_MODEL,
        )
    )
    weight_decay: float = field(
        metadata=option(Number(at_least=0), help="Of the optimizer.", metavar="D", usual=_OF_THE_MODEL)
    )
    warmup_epochs: float = field(
        metadata=option(
            Number(at_least=0), help="Over which the learning rate rises.", metavar="E", usual=_OF_THE_MODEL
        )
    )
    precision: Precision = field(
        default="fp32",
        metadata=option(
            OneOf(lambda: get_args(Precision)),
            help="fp32; or fp16 or bf16: operands and activations in 16 bits, sums and master weights in FP32.",
            metavar="NAME",
        ),
    )
    shift: int = field(
        default=0,
        metadata=option(WholeNumber(0), help="Move training images by up to so many pixels.", metavar="P", example=2),
    )
    flip: bool = field(default=False, metadata=option(Switch(), help="Mirror training images by chance."))
    context: int | None = field(
        default=None,
        metadata=option(
            WholeNumber(1),
            help="Symbols that a network reads at once, of a text.",
            metavar="T",
            example=64,
            usual="64",
        ),
    )
    resize: int | None = field(
        default=None,
        metadata=option(
            WholeNumber(1),
            help="Scale the images of a folder to this side, in pixels.",
            metavar="P",
            example=32,
            usual="as they are",
        ),
    )
    start: str | None = field(
        default=None,
        metadata=option(
            Text(),
            help="Begin with the weights that another run ended with, or with a file that torch.save wrote.",
            metavar="DIR|FILE",
            usual="drawn",
        ),
    )
    seed: int = field(
        default=0,
        metadata=option(
            WholeNumber(0),
            help="Of initial weights, order of data, augmentation and whatever the recipe draws.",
            metavar="S",
            example=0,
        ),
    )

    def __post_init__(self) -> None:
        parse_format(self.sparsity)
        check_options(self)
        if self.warmup_epochs > self.epochs:
            raise ConfigError(f"warmup_epochs: got {self.warmup_epochs}, need at most the {self.epochs} epochs")

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
        ConfigError: no such model, data or setting, or a setting is wrong.
    """
    check_keywords(given, TrainingSettings)
    from .data import load_data
    from .trainable import defaults

    read = load_data(data, context=given.get("context"), resize=given.get("resize"))
    own = dataclasses.asdict(defaults(model, read))
    own |= {name: value for name, value in given.items() if value is not None}
    if given.get("warmup_epochs") is None:
        own["warmup_epochs"] = min(own["warmup_epochs"], own["epochs"])
    return TrainingSettings(model=model, data=data, recipe=recipe, sparsity=sparsity, **own)
