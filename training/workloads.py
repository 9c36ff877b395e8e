"""The shipped workloads: which network, at which input, with which batch. Free of torch.

Each is captured once and shipped as ``configs/workloads/NAME.json``, so that a simulation needs no torch; ``command``
makes the file again, and a test compares a fresh capture with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .capture_request import CaptureRequest
from .input_shape import InputShape

_PLAIN = CaptureRequest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedWorkload:
    """One network at one input.

    Attributes:
        name: of the workload and its file.
        factory: ``package.module:factory`` that builds the network.
        inputs: one shape an input, without the batch.
        default_batch: batch size used unless told otherwise.
        title: the network in words: which variant, which choices were made.
    """

    name: str
    factory: str
    inputs: tuple[InputShape, ...]
    default_batch: int
    title: str

    @property
    def command(self) -> str:
        """The command line that captures it."""
        command = capture_command(self.factory, self.inputs, name=self.name, batch=self.default_batch)
        return f"{command} --out configs/workloads/{self.name}.json"

    @property
    def source(self) -> str:
        """What a captured graph says of where it comes from."""
        return f"{self.title}; made by: {self.command}"


def capture_command(
    network: str, inputs: Sequence[InputShape], *, name: str, batch: int, request: CaptureRequest = _PLAIN
) -> str:
    """The command line of a capture, but for where its file goes.

    Args:
        network: as the command line has it.
        inputs: as given; none where the network says its own.
        name: of the workload.
        batch: samples.
        request: what else was asked for.
    """
    shapes = (f"--input {shape}" for shape in inputs)
    words = ("bisparse capture", network, *shapes, f"--batch {batch}", f"--name {name}", *request.words())
    return " ".join(words)


def capture_source(
    network: str, inputs: Sequence[InputShape], *, name: str, batch: int, request: CaptureRequest = _PLAIN
) -> str:
    """What a graph captured so says of its source; a shipped workload captured again says what the shipped one does."""
    shipped = WORKLOADS.get(name)
    asked = (network, tuple(inputs), batch, request)
    if shipped is not None and asked == (shipped.factory, shipped.inputs, shipped.default_batch, _PLAIN):
        return shipped.source
    return f"made by: {capture_command(network, inputs, name=name, batch=batch, request=request)}"


_MODELS = "bisparse.training.models"

_CIFAR_IMAGE = InputShape((3, 32, 32))
_IMAGENET_IMAGE = InputShape((3, 224, 224))

_ALL = (
    ShippedWorkload(
        name="resnet9-cifar10",
        factory=f"{_MODELS}.resnet:resnet9",
        inputs=(_CIFAR_IMAGE,),
        default_batch=512,
        title="ResNet-9 for CIFAR-10: eight 3x3 convolutions and a classifier",
    ),
    ShippedWorkload(
        name="vit-cifar10",
        factory=f"{_MODELS}.vit:vit_small_cifar10",
        inputs=(_CIFAR_IMAGE,),
        default_batch=512,
        title="ViT-Small/4 for CIFAR-10: width 384, depth 12, 6 heads, 65 tokens, no dropout",
    ),
    ShippedWorkload(
        name="vgg19-cifar100",
        factory=f"{_MODELS}.vgg:vgg19_cifar100",
        inputs=(_CIFAR_IMAGE,),
        default_batch=512,
        title="VGG-19 with batch normalisation for CIFAR-100: sixteen convolutions and one linear classifier",
    ),
    ShippedWorkload(
        name="resnet18-tinyimagenet",
        factory=f"{_MODELS}.resnet:resnet18_tinyimagenet",
        inputs=(InputShape((3, 64, 64)),),
        default_batch=512,
        title="ResNet-18 for Tiny-ImageNet (200 classes, 64x64): 3x3 stem of stride 1 and no maximum pooling",
    ),
    ShippedWorkload(
        name="resnet50-imagenet",
        factory=f"{_MODELS}.resnet:resnet50",
        inputs=(_IMAGENET_IMAGE,),
        default_batch=512,
        title="ResNet-50 for ImageNet (1000 classes, 224x224), stride on the 3x3 convolutions",
    ),
    ShippedWorkload(
        name="bert-base",
        factory=f"{_MODELS}.bert:bert_base",
        inputs=(InputShape((512,), integer=True), InputShape((512,), integer=True)),
        default_batch=32,
        title="BERT-base fine-tuned on pairs of 512 tokens: pooler and two-class classifier, dropout 0.1",
    ),
    ShippedWorkload(
        name="gpt2-small",
        factory=f"{_MODELS}.gpt2:gpt2_small",
        inputs=(InputShape((1024,), integer=True),),
        default_batch=8,
        title="GPT-2 small on 1024 tokens: tied head, cross-entropy over 50257 tokens, dropout 0.1",
    ),
    ShippedWorkload(
        name="gpt2-small-8k",
        factory=f"{_MODELS}.gpt2:gpt2_small_8k",
        inputs=(InputShape((8192,), integer=True),),
        default_batch=1,
        title="GPT-2 small with 8192 positions, on as many tokens: cross-entropy over 50257 of them, dropout 0.1",
    ),
    ShippedWorkload(
        name="mobilenet-v2-imagenet",
        factory=f"{_MODELS}.mobilenet_v2:mobilenet_v2",
        inputs=(_IMAGENET_IMAGE,),
        default_batch=256,
        title="MobileNetV2 1.0 for ImageNet (1000 classes, 224x224), dropout 0.2 before the classifier",
    ),
    ShippedWorkload(
        name="lstm-text",
        factory=f"{_MODELS}.recurrent:lstm_text",
        inputs=(InputShape((32,), integer=True),),
        default_batch=64,
        title="LSTM of 512 units on 32 of 128 symbols: embedding of width 128, a head",
    ),
)

WORKLOADS: dict[str, ShippedWorkload] = {workload.name: workload for workload in _ALL}
