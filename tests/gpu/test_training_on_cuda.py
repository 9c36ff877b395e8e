"""Training on a GPU: the same bits again and after an interruption, and the masks that a CPU finds in the same weights.

Skipped where torch has no CUDA. Run by hand there: ``pytest tests/gpu``.
"""

from __future__ import annotations

import copy

import pytest
import torch
from bisparse.configs.formats import parse_format
from bisparse.configs.pattern import Pattern
from bisparse.training.graph import Stage
from bisparse.training.loop import run as training_run
from bisparse.training.loop import train, train_all
from bisparse.training.loop.layer_proxy import measure_run
from bisparse.training.recipes.declaration import load_recipe
from bisparse.training.recipes.in_torch import apply
from bisparse.training.recipes.in_torch.whole_network import whole_network_masks
from bisparse.training.settings import settings_for
from torch import nn

from ..unit.training.trained_recipes import TRAINED

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch has no CUDA here")


class KilledError(Exception):
    """What stands for a kill at a certain step."""


def settings(model="mlp", recipe="bdwp", sparsity="2:8", **given):
    return settings_for(model, "digits", recipe, sparsity, **{"epochs": 1, "batch": 64, **given})


def run(told, directory, *, killed=None):
    def progress(task, done, of):
        if done == killed:
            raise KilledError

    return train(told, directory, version="test", device="cuda", progress=progress)


RUNS = {
    "linear layers": settings(),
    "convolutions": settings("convnet"),
    "attention and dropout": settings("vit"),
    "16 bits": settings("convnet", precision="fp16"),
    "transposable masks": settings("convnet", "transposable"),
    "a permuted order": settings("convnet", "bi-mask"),
    "zeros without a rule": settings("convnet", "gradual-magnitude", "80%"),
    "two phases": settings("mlp", "spdf", "75%"),
    "repeated": settings("mlp", "lottery-ticket", "80%", batch=300),
    "averaged": settings("mlp", "sparse-model-soups", "80%", batch=100),
    "narrower": settings("convnet", "spa"),
    "narrower step by step": settings("convnet", "lapp"),
}


@pytest.mark.parametrize("case", RUNS)
def test_a_run_is_the_same_bits_again_and_after_an_interruption(case, tmp_path, monkeypatch):
    whole = run(RUNS[case], tmp_path / "whole")
    assert whole.device == "cuda"
    assert run(RUNS[case], tmp_path / "again").weights_sha256 == whole.weights_sha256
    monkeypatch.setattr(training_run, "CHECKPOINT_SECONDS", 0.0)
    for step in (whole.steps // 3, whole.steps // 2 + 1):
        with pytest.raises(KilledError):
            run(RUNS[case], tmp_path / "cut", killed=step)
    cut = run(RUNS[case], tmp_path / "cut")
    assert cut.weights_sha256 == whole.weights_sha256
    assert (cut.epochs, cut.cycles) == (whole.epochs, whole.cycles)


def test_a_gpu_learns_what_a_cpu_learns(tmp_path):
    gpu = run(settings(epochs=4), tmp_path / "gpu")
    cpu = train(settings(epochs=4), tmp_path / "cpu", version="test")
    assert gpu.test_accuracy == pytest.approx(cpu.test_accuracy, abs=0.03)
    assert gpu.test_loss == pytest.approx(cpu.test_loss, abs=0.05)


def test_training_leaves_the_callers_random_numbers_and_settings_alone(tmp_path):
    torch.cuda.manual_seed(5)
    expected = torch.rand(3, device="cuda")
    torch.cuda.manual_seed(5)
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.allow_tf32
    run(settings(), tmp_path)
    assert torch.equal(torch.rand(3, device="cuda"), expected)
    assert (torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.allow_tf32) == before


def test_runs_side_by_side_are_those_of_one_after_another(tmp_path):
    told = [settings(seed=seed) for seed in (0, 1)]
    runs = [(each, tmp_path / str(each.seed)) for each in told]
    found = train_all(runs, version="test", jobs=2, device="cuda")
    alone = [run(each, tmp_path / f"alone{each.seed}") for each in told]
    assert [each.weights_sha256 for each in found] == [each.weights_sha256 for each in alone]


def test_what_ratios_cost_is_measured_alike(tmp_path):
    places = [("1", Stage.FORWARD, Pattern(2, 8)), ("3", Stage.BACKWARD, Pattern(2, 8))]
    for device in ("cpu", "cuda"):
        train(settings(recipe="dense"), tmp_path / device, version="test")
    costs = [measure_run(tmp_path / each, places, sensitivity=True, device=each).rows for each in ("cpu", "cuda")]
    for one, other in zip(*costs, strict=True):
        assert other.kept_magnitude == pytest.approx(one.kept_magnitude, rel=1e-6)
        assert (other.loss_rise or 0.0) == pytest.approx(one.loss_rise or 0.0, abs=1e-4)


# Masks ----------------------------------------------------------------------------------------------------------------


def network() -> nn.Sequential:
    torch.manual_seed(0)
    made = nn.Sequential(
        nn.Conv2d(8, 16, 3, padding=1), nn.ConvTranspose2d(16, 32, 2, groups=2), nn.Flatten(), nn.Linear(800, 24)
    )
    with torch.no_grad():
        # Few values: ties in every group.
        for parameter in made.parameters():
            parameter.mul_(200).round_()
    return made


def masks(model, recipe, sparsity):
    applied = apply(model, recipe, parse_format(sparsity), steps=100)
    found = {(path, stage): applied.mask(path, stage) for path in applied.layers for stage in Stage.__members__.values()
             if stage in (Stage.FORWARD, Stage.BACKWARD)}  # fmt: skip
    return {place: None if mask is None else mask.cpu() for place, mask in found.items()}


@pytest.mark.parametrize("recipe", TRAINED)
@pytest.mark.parametrize("sparsity", ["2:8", "75%", "75% block 4x4", "75% in each row"])
def test_a_gpu_finds_the_masks_that_a_cpu_finds(recipe, sparsity):
    declared = load_recipe(recipe).model
    if sparsity != "2:8" and declared.mask_search.method != "given":
        pytest.skip("its masks are N:M")
    on_cpu = network()
    on_gpu = copy.deepcopy(on_cpu).cuda()
    one, other = (masks(each, declared, sparsity) for each in (on_cpu, on_gpu))
    for place, mask in one.items():
        assert (mask is None) is (other[place] is None)
        assert mask is None or torch.equal(mask, other[place]), place


def test_a_gpu_prunes_a_whole_network_as_a_cpu_does():
    weights = {"a": torch.randint(-9, 9, (64, 32)).float(), "b": torch.randint(-9, 9, (16, 64)).float()}
    formats = dict.fromkeys(weights, parse_format("80%"))
    one = whole_network_masks(weights, formats)
    other = whole_network_masks({path: each.cuda() for path, each in weights.items()}, formats)
    assert all(torch.equal(one[path], other[path].cpu()) for path in weights)
