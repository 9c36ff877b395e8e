"""Options that ``bisparse train`` and ``bisparse codesign`` share: what a training run is told."""

from __future__ import annotations

from typing import Annotated

import typer

from .usage import whole_number

Model = Annotated[
    str,
    typer.Option(
        "--model", metavar="NAME|PACKAGE.MODULE:FACTORY", help="mlp, convnet, resnet9, vit, gpt, or your own factory."
    ),
]
Data = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="NAME|PATH",
        help="digits, mnist-5k, pydoc, kjv, or your own .npz, .txt or folder of images (train/CLASS/*.png).",
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        "--epochs",
        metavar="E",
        parser=whole_number("--epochs", at_least=1, example=10),
        help="Passes over the training split. [the model's own]",
    ),
]
Batch = Annotated[
    int | None,
    typer.Option(
        "--batch",
        metavar="B",
        parser=whole_number("--batch", at_least=1, example=100),
        help="Samples a step. [the model's own]",
    ),
]
Optimizer = Annotated[
    str | None, typer.Option("--optimizer", metavar="NAME", help="sgd, sgd-momentum or adam. [the model's own]")
]
LearningRate = Annotated[
    float | None,
    typer.Option("--learning-rate", metavar="R", help="The highest, of a cosine with warm-up. [the model's own]"),
]
WeightDecay = Annotated[
    float | None, typer.Option("--weight-decay", metavar="D", help="Of the optimizer. [the model's own]")
]
WarmupEpochs = Annotated[
    float | None,
    typer.Option("--warmup-epochs", metavar="E", help="Over which the learning rate rises. [the model's own]"),
]
PrecisionOption = Annotated[
    str,
    typer.Option(
        "--precision",
        metavar="NAME",
        help="fp32; or fp16 or bf16: operands and activations in 16 bits, sums and master weights in FP32.",
    ),
]
Shift = Annotated[
    int,
    typer.Option(
        "--shift",
        metavar="P",
        parser=whole_number("--shift", at_least=0, example=2),
        help="Move training images by up to so many pixels.",
    ),
]
Context = Annotated[
    int | None,
    typer.Option(
        "--context",
        metavar="T",
        parser=whole_number("--context", at_least=1, example=64),
        help="Symbols that a network reads at once, of a text. [64]",
    ),
]
Resize = Annotated[
    int | None,
    typer.Option(
        "--resize",
        metavar="P",
        parser=whole_number("--resize", at_least=1, example=32),
        help="Scale the images of a folder to this side, in pixels. [as they are]",
    ),
]
Flip = Annotated[bool, typer.Option("--flip", help="Mirror training images by chance.")]
