"""How sparse a trained network's activations are: as a threshold takes them, by token, and of several tokens.

PPL-p% sparsity (Luo et al., 2024: Sparsing law, arXiv 2411.02335) is the largest share of zeros at which the perplexity
is no more than p% above the dense network's. Here the share is the same in every layer, each with a threshold of its
own, found in batches of training data; the paper's thresholds give every layer the same error (assumed to come near).
Neurons that one of several tokens needs are counted beside what tokens that choose by themselves would need, which is
what a decoding step is simulated with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, nn

from ...configs.errors import ConfigError
from ..data import DataSet, TrainingBatches, evaluation_batches, load_data
from ..recipes.declaration import load_recipe
from ..rewrites.activation import Activation
from ..rewrites.activation_terms import needed_share
from ..rewrites.in_torch import activations_of, rewrite_module
from ..run_summary import read_summary
from ..trainable import build
from .evaluation import evaluate
from .own_graph import captured
from .starting import start_with

_CALIBRATION = 8
_FINEST = 0.005
"""Of shares of zeros that are told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenDensity:
    """Non-zero shares of one layer's activations.

    Attributes:
        module: path of the activation.
        mean: over tokens and neurons.
        least: of a token.
        most: of a token.
        by_part: of the first, second, ... equal part of a sequence.
        needed: neurons that one of some tokens needs, by how many tokens.
        by_chance: the same of tokens that need ``mean`` of the neurons each, as if drawn by itself.
    """

    module: str
    mean: float
    least: float
    most: float
    by_part: tuple[float, ...]
    needed: dict[int, float]
    by_chance: dict[int, float]


class TrainedActivations:
    """A finished run's network, whose activations have a threshold a layer."""

    def __init__(self, directory: Path) -> None:
        """Build it.

        Raises:
            ConfigError: it is no finished run, or has activations that no threshold can stand behind.
        """
        settings = read_summary(directory).settings
        self.data: DataSet = load_data(settings.data, context=settings.context, resize=settings.resize)
        self.model: nn.Module = build(settings.model, self.data)
        start_with(self.model, str(directory))
        entries = [each for each in load_recipe(settings.recipe).model.rewrites if isinstance(each, Activation)]
        function = entries[0].function if entries else "same"
        cut = {"by": "threshold", "found_over": _CALIBRATION}
        entry = Activation.model_validate({"kind": "activation", "function": function, "zeros_percent": 50, "cut": cut})
        rewrite_module(self.model, (entry,), captured(self.model, settings, self.data))
        drawn = TrainingBatches(self.data, batch=settings.batch, seed=settings.seed, epoch=0)
        self._batches = [torch.from_numpy(drawn[number][0]) for number in range(min(_CALIBRATION, len(drawn)))]
        self.dense_loss = self.loss()

    @torch.no_grad()
    def take(self, share: float) -> None:
        """Set a share of every layer's activations to zero, by a threshold each; none of them where it is 0."""
        activations = activations_of(self.model)
        for each in activations:
            each.share = share
            each.threshold.zero_()
            each.batches.zero_()
        if not share:
            return
        self.model.train()
        for step, batch in enumerate(self._batches):
            for each in activations:
                each.at(step, 2 * _CALIBRATION)
            self.model(batch)
        for each in activations:
            each.at(_CALIBRATION, 2 * _CALIBRATION)
        self.model.eval()

    def loss(self) -> float:
        """Nats a sample, of a text a symbol, on the validation split."""
        return evaluate(self.model.eval(), self.data, "validation", torch.device("cpu")).loss

    def largest_zeros(self, rise_percent: float) -> float:
        """PPL-p% sparsity: the largest share of zeros whose perplexity is that many percent above dense, or less."""
        allowed = self.dense_loss + math.log1p(rise_percent / 100)
        least, most = 0.0, 1.0
        while most - least > _FINEST:
            middle = (least + most) / 2
            self.take(middle)
            least, most = (middle, most) if self.loss() <= allowed else (least, middle)
        self.take(least)
        return least

    @torch.no_grad()
    def tokens(self, *, together: Sequence[int] = (2, 4, 8), parts: int = 4, batches: int = 4) -> list[TokenDensity]:
        """What each token needs of each layer now, on the validation split.

        Args:
            together: of how many tokens the neurons that one of them needs are counted.
            parts: equal ones of a sequence.
            batches: of the split, 32 samples each.

        Raises:
            ConfigError: no activation is one of sequences of tokens.
        """
        seen: dict[str, list[Tensor]] = {}
        hooks = [
            each.register_forward_hook(lambda own, _, made: seen.setdefault(own.path, []).append(made != 0))
            for each in activations_of(self.model)
        ]
        for inputs, _ in islice(evaluation_batches(self.data, "validation", 32), batches):
            self.model.eval()(torch.from_numpy(inputs))
        for each in hooks:
            each.remove()
        found = {
            path: torch.cat([one for one in each if len(one) == len(each[0])])
            for path, each in seen.items()
            if each[0].dim() == 3
        }
        if not found:
            raise ConfigError(
                "tokens: got no activation of sequences, need a network of tokens; try bisparse train --model gpt"
            )
        return [_density(path, needs, together, parts) for path, needs in found.items()]


def _density(path: str, needs: Tensor, together: Sequence[int], parts: int) -> TokenDensity:
    """Of one layer: which neurons [sample, token, neuron] need.

    Tokens that are decoded together are of different samples, at one place.
    """
    shares = needs.float().mean(-1)
    mean = float(shares.mean())
    needed = {}
    for count in together:
        groups = needs[: len(needs) // count * count].reshape(-1, count, *needs.shape[1:])
        needed[count] = float(groups.any(1).float().mean())
    return TokenDensity(
        module=path,
        mean=mean,
        least=float(shares.min()),
        most=float(shares.max()),
        by_part=tuple(float(each.mean()) for each in shares.tensor_split(parts, dim=1)),
        needed=needed,
        by_chance={count: needed_share(mean, count) for count in together},
    )
