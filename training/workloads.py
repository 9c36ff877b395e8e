"""The shipped workloads: which network, at which input, with which batch. Free of torch.

Each is captured once and shipped as ``configs/workloads/NAME.json``, so that a simulation needs no torch; ``command``
makes the file again, and a test compares a fresh capture with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from .input_shape import InputShape


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
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
        inputs = " ".join(f"--input {shape}" for shape in self.inputs)
        return (
            f"bisparse capture {self.factory} {inputs} --batch {self.default_batch} --name {self.name} "
            f"--out configs/workloads/{self.name}.json"
        )

    @property
    def source(self) -> str:
        """What a captured graph says of where it comes from."""
        return f"{self.title}; made by: {self.command}"


_MODELS = "bisparse.training.models"

_ALL = (
    Workload(
        name="resnet18-tinyimagenet",
        factory=f"{_MODELS}.resnet:resnet18_tinyimagenet",
        inputs=(InputShape((3, 64, 64)),),
        default_batch=512,
        title="ResNet-18 for Tiny-ImageNet (200 classes, 64x64): 3x3 stem of stride 1 and no maximum pooling",
    ),
    Workload(
        name="resnet50-imagenet",
        factory=f"{_MODELS}.resnet:resnet50",
        inputs=(InputShape((3, 224, 224)),),
        default_batch=512,
        title="ResNet-50 for ImageNet (1000 classes, 224x224), stride on the 3x3 convolutions",
    ),
)

WORKLOADS: dict[str, Workload] = {workload.name: workload for workload in _ALL}
