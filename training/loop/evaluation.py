"""Loss and accuracy of a model on a split."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..capture.losses import main_output
from ..data import DataSet, evaluation_batches
from ..data.labelled_samples import IGNORED

_BATCH = 250


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Of one split.

    Attributes:
        loss: nats a sample; of a text or tokens with a class each, a position.
        accuracy: share of samples, or positions, whose most likely class is the right one.
    """

    loss: float
    accuracy: float


def classes_first(output: object, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Logits [samples, classes] and targets [samples] of what a model gave, whatever axes come before the classes."""
    logits = main_output(output)
    return logits.flatten(0, -2), targets.flatten()


def among(logits: Tensor, classes: Sequence[int] | None) -> Tensor:
    """Logits of which only some classes may be said; of all where nothing is told."""
    if classes is None:
        return logits
    others = torch.ones(logits.shape[-1], dtype=torch.bool, device=logits.device)
    others[list(classes)] = False
    return logits.masked_fill(others, -math.inf)


@torch.no_grad()
def evaluate(
    model: nn.Module, data: DataSet, split: str, device: torch.device, classes: Sequence[int] | None = None
) -> Evaluation:
    """Measure a model, in evaluation mode, and put it back into the mode that it was in.

    Args:
        model: that is measured.
        data: with the split.
        split: its name.
        device: of torch.
        classes: among which it tells samples apart; all of them when None.
    """
    was_training = model.training
    model.eval()
    loss = correct = samples = 0.0
    for inputs, targets in evaluation_batches(data, split, _BATCH):
        logits, labels = classes_first(model(torch.from_numpy(inputs).to(device)), torch.from_numpy(targets).to(device))
        logits = among(logits, classes)
        loss += float(functional.cross_entropy(logits, labels, reduction="sum"))
        correct += float((logits.argmax(-1) == labels).sum())
        samples += float((labels != IGNORED).sum())
    model.train(was_training)
    return Evaluation(loss=loss / samples, accuracy=correct / samples)
