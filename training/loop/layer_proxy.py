"""What each N:M ratio would cost each layer of a trained network, measured without training with it.

Kept magnitude needs the weights alone. Sensitivity is the rise of the validation loss when one layer, and no other,
multiplies by its masked weights in FF. What layers do to each other is in neither, nor is what training would mend; the
test split is never read.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ...configs.errors import ConfigError
from ..data import load_data
from ..graph import Stage
from ..layer_costs import LAYER_COSTS_FILE, LayerCost, LayerCosts, Place, load_layer_costs, write_layer_costs
from ..recipes.in_torch.recurrent.weights import weights_of
from ..recipes.in_torch.weight_axes import Convolutions, WeightAxes
from ..recipes.in_torch.weight_masks import stage_mask
from ..run_summary import SUMMARY_FILE, WEIGHTS_FILE, read_summary
from ..trainable import build
from .checkpoint import load_state
from .devices import reproducible, torch_device
from .evaluation import evaluate
from .weights_hash import weights_hash

Progress = Callable[[str, int, int], None]


def layer_costs(
    model: nn.Module, places: Collection[Place], *, loss: Callable[[], float] | None = None
) -> Iterator[LayerCost]:
    """Measure each place; the model's weights are changed on the way and put back.

    Args:
        model: with dense weights.
        places: to be measured.
        loss: the model's loss as it stands, for FF; None to leave it out.

    Raises:
        ConfigError: no layer that multiplies has such a path.
    """
    layers: dict[str, nn.Module] = {}
    for path, each in model.named_modules():
        layers |= {path: each} if isinstance(each, (nn.Linear, *Convolutions)) else dict(weights_of(path, each))
    before = loss() if loss is not None else 0.0
    for path, stage, pattern in places:
        if path not in layers:
            raise ConfigError(f"{path}: got no layer that multiplies of this path in {type(model).__name__}, need one")
        weight = layers[path].weight
        assert isinstance(weight, Tensor), "a layer that multiplies has a weight"
        mask = stage_mask(weight.detach(), WeightAxes.of(layers[path]), pattern, stage)
        whole = _magnitude(weight)
        row = LayerCost(
            module=path,
            stage="FF" if stage is Stage.FORWARD else "BP",
            sparsity=pattern,
            weights=weight.numel(),
            magnitude=whole,
            kept_magnitude=min(1.0, _magnitude(weight * mask) / whole) if whole else 1.0,
        )
        if loss is not None and stage is Stage.FORWARD:
            row = replace(row, loss_rise=_loss_with(weight, mask, loss) - before)
        yield row


def _magnitude(weight: Tensor) -> float:
    return float(weight.detach().abs().sum(dtype=torch.float64))


@torch.no_grad()
def _loss_with(weight: Tensor, mask: Tensor, loss: Callable[[], float]) -> float:
    dense = weight.clone()
    try:
        weight.mul_(mask)
        return loss()
    finally:
        weight.copy_(dense)


def measure_run(
    directory: Path,
    places: Collection[Place],
    *,
    model: str | None = None,
    sensitivity: bool = False,
    device: str = "cpu",
    told: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> LayerCosts:
    """Measure the network that a dense training run left behind, and write it into ``layers.csv`` beside it.

    Args:
        directory: of the run.
        places: to be measured; what the file knows of these very weights is not measured again, and what it knows of
            others is dropped.
        model: as the user names it. A run's directory is data: a factory that only its summary names is not called.
        sensitivity: whether to measure the rise of the loss, too.
        device: of torch.
        told: gets remarks, a sentence each.
        progress: told before each place: what, how many are done, of how many.

    Raises:
        ConfigError: it is no finished run of a dense recipe, its data have changed, a path names no layer of it, or its
            model is another than the user names, or a factory that the user does not name.
    """
    summary = read_summary(directory)
    _check_model(directory, summary.settings.model, model)
    if summary.patterns:
        raise ConfigError(
            f"{directory}: got a run under {summary.recipe_name}, whose saved weights are pruned, need a dense one; "
            "try bisparse train --recipe dense"
        )
    weights = _weights(directory / WEIGHTS_FILE)
    data = load_data(summary.settings.data)
    if data.sha256 != summary.data_sha256:
        raise ConfigError(f"data: got a {data.name} that is not what {directory} was trained on, need the same")
    with torch.random.fork_rng(devices=[]):
        network = build(summary.settings.model, data)
    try:
        with warnings.catch_warnings():
            # Complex weights are cast with a warning; the hash below tells of them.
            warnings.simplefilter("ignore")
            network.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        why = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"{directory / WEIGHTS_FILE}: got weights of another network ({why}), need the run's"
        ) from error
    if weights_hash(network) != summary.weights_sha256:
        raise ConfigError(
            f"{directory / WEIGHTS_FILE}: got other weights than {SUMMARY_FILE} tells of, need them as the run "
            "left them; try training again"
        )
    file = directory / LAYER_COSTS_FILE
    before = load_layer_costs(file) if file.exists() else LayerCosts(sha256="", rows=())
    before = before.of_weights(summary.weights_sha256)
    missing, known = before.missing(places, sensitivity=sensitivity), dict(before.by_place)

    computed = torch_device(device)
    network.to(computed)

    def validation_loss() -> float:
        return evaluate(network, data, "validation", computed).loss

    with reproducible(computed, told or (lambda _: None)):
        rows = layer_costs(network, missing, loss=validation_loss if sensitivity else None)
        for done, row in enumerate(rows):
            if progress is not None:
                progress(f"measuring {row.module} {row.stage} at {row.sparsity}", done, len(missing))
            known[row.module, row.stage, row.sparsity] = replace(row, weights_sha256=summary.weights_sha256)
    return write_layer_costs(file, known.values())


def _check_model(directory: Path, recorded: str, named: str | None) -> None:
    """Refuse to run code that a file names and the user does not."""
    place = f"{directory / SUMMARY_FILE}: settings.model"
    if named is not None and named != recorded:
        raise ConfigError(f"{place}: got {recorded!r}, need {named!r}, as --model has it; try its own directory")
    if named is None and ":" in recorded:
        raise ConfigError(
            f"{place}: got {recorded!r}, code that is not run because a file says so, need your word for it; try "
            f"--model {recorded}, if it is yours"
        )


def _weights(file: Path) -> dict[str, Tensor]:
    if not file.exists():
        raise ConfigError(f"{file}: got no such file, need the weights of the run")
    refusal = ConfigError(f"{file}: got no readable weights, need those of the run; try training again")
    found: dict[str, Tensor] = load_state(file, refusal=refusal)
    return found
