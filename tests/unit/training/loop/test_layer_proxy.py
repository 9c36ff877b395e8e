"""What ratios cost layers, against plain numpy; and of a run on disk."""

import json
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.configs.pattern import Pattern
from bisparse.training.graph import Stage
from bisparse.training.layer_costs import load_layer_costs
from bisparse.training.loop import train
from bisparse.training.loop.layer_proxy import layer_costs, measure_run
from bisparse.training.run_summary import read_summary
from bisparse.training.settings import settings_for
from torch import nn

FF, BP = Stage.FORWARD, Stage.BACKWARD


def model():
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(8, 12, 3, padding=1), nn.Flatten(), nn.Linear(12 * 4, 10))


def kept_along(weight, axis, pattern):
    """Share of the magnitude kept by the N largest of each group along an axis; the last group may be short."""
    rows = np.moveaxis(np.abs(weight.detach().double().numpy()), axis, -1).reshape(-1, weight.shape[axis])
    kept = 0.0
    for start in range(0, rows.shape[1], pattern.group):
        kept += np.sort(rows[:, start : start + pattern.group], axis=1)[:, ::-1][:, : pattern.kept].sum()
    return kept / rows.sum()


def test_kept_magnitude_is_that_of_each_stage_s_own_mask():
    network = model()
    weights = {"0": network[0].weight, "2": network[2].weight}
    places = [(path, stage, Pattern(*ratio)) for path in weights for stage in (FF, BP) for ratio in ((2, 4), (1, 8))]
    for (path, stage, pattern), row in zip(places, layer_costs(network, places), strict=True):
        weight = weights[path]
        assert row.kept_magnitude == pytest.approx(kept_along(weight, 1 if stage is FF else 0, pattern))
        assert row.magnitude == pytest.approx(float(weight.detach().abs().sum()), rel=1e-5)
        assert (row.module, row.stage, row.sparsity) == (path, stage.value, pattern)
        assert (row.weights, row.loss_rise) == (weight.numel(), None)


def test_sensitivity_is_the_rise_of_the_loss_with_one_layer_pruned_and_the_weights_are_put_back():
    network = model()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    inputs = torch.randn(16, 8, 2, 2)

    def loss():
        with torch.no_grad():
            return float(network(inputs).square().mean())

    places = [("0", FF, Pattern(1, 8)), ("0", BP, Pattern(1, 8)), ("2", FF, Pattern(1, 8))]
    conv, backward, linear = layer_costs(network, places, loss=loss)
    assert backward.loss_rise is None
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    dense = loss()
    with torch.no_grad():
        magnitudes = network[2].weight.abs().reshape(10, 6, 8)
        network[2].weight.mul_((magnitudes == magnitudes.amax(-1, keepdim=True)).reshape(10, 48))
    assert linear.loss_rise == pytest.approx(loss() - dense)
    assert conv.loss_rise not in (0.0, linear.loss_rise)


def test_a_path_that_is_no_layer_is_refused():
    with pytest.raises(ConfigError, match="1: got no layer that multiplies of this path in Sequential"):
        list(layer_costs(model(), [("1", FF, Pattern(2, 4))]))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A dense run, and a pruned one."""
    found = {}
    for recipe in ("dense", "bdwp"):
        found[recipe] = tmp_path_factory.mktemp(recipe)
        settings = settings_for("mlp", "digits", recipe, "2:8", epochs=1, batch=250, warmup_epochs=0.0)
        train(settings, found[recipe], version="test")
    return found


def layer_of(directory):
    return next(iter(torch.load(directory / "weights.pt", weights_only=True))).rpartition(".")[0]


def test_a_run_is_measured_once_and_again_only_for_what_is_new(runs):
    directory, told = runs["dense"], []
    layer = layer_of(directory)
    first = [(layer, FF, Pattern(2, 8)), (layer, BP, Pattern(2, 8))]
    known = measure_run(directory, first, progress=lambda *each: told.append(each))
    assert len(told) == 2
    assert known == load_layer_costs(directory)
    more = measure_run(directory, [*first, (layer, FF, Pattern(4, 8))], progress=lambda *each: told.append(each))
    assert (len(told), len(more.rows)) == (3, 3)
    sensitive = measure_run(directory, first, sensitivity=True, progress=lambda *each: told.append(each))
    assert len(told) == 4, "of BP nothing is left to measure"
    assert sensitive.by_place[layer, "FF", Pattern(2, 8)].loss_rise is not None
    assert len(sensitive.rows) == 3


def test_weights_of_another_run_are_measured_anew(tmp_path):
    def trained(seed):
        settings = settings_for("mlp", "digits", "dense", "2:8", epochs=1, batch=250, warmup_epochs=0.0, seed=seed)
        train(settings, directory, version="test")

    directory, found = tmp_path / "run", []
    for seed in (1, 2):
        for left in directory.glob("*"):
            left.unlink() if left.name != "layers.csv" else None
        trained(seed)
        found.append(measure_run(directory, [(layer_of(directory), FF, Pattern(2, 8))]))
    first, second = (each.rows[0] for each in found)
    assert first.weights_sha256 != second.weights_sha256
    assert first.kept_magnitude != second.kept_magnitude
    assert found[1] == load_layer_costs(directory)


def test_a_file_that_is_no_weights_is_refused(runs):
    broken = runs["dense"] / "weights.pt"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:100])
    with pytest.raises(ConfigError, match=r"weights.pt: got no readable weights, need those of the run"):
        measure_run(runs["dense"], [])
    broken.write_bytes(whole)


def test_weights_that_are_not_the_run_s_are_refused(runs, tmp_path):
    directory = tmp_path / "run"
    shutil.copytree(runs["dense"], directory)
    weights = torch.load(directory / "weights.pt", weights_only=True)
    name = next(iter(weights))
    torch.save(weights | {name: weights[name] + 1}, directory / "weights.pt")
    with pytest.raises(ConfigError, match=r"weights\.pt: got other weights than summary\.json tells of"):
        measure_run(directory, [])
    torch.save({"other": weights[name]}, directory / "weights.pt")
    with pytest.raises(ConfigError, match=r"weights\.pt: got weights of another network"):
        measure_run(directory, [])


def test_a_pruned_run_is_refused(runs):
    with pytest.raises(ConfigError, match="got a run under bdwp, whose saved weights are pruned, need a dense one"):
        measure_run(runs["bdwp"], [("0", FF, Pattern(2, 8))])


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="need the directory of a finished run"):
        measure_run(tmp_path, [])


def test_code_that_only_the_run_names_is_not_run(runs, tmp_path, monkeypatch):
    """A run's directory is data: its files say nothing of what is imported."""
    directory = tmp_path / "run"
    shutil.copytree(runs["dense"], directory)
    summary = read_summary(directory)
    crafted = replace(summary, settings=replace(summary.settings, model="trap:spring"))
    (directory / "summary.json").write_text(json.dumps(crafted.document()))
    (directory / "checksums.sha256").unlink()
    (tmp_path / "trap.py").write_text("raise SystemExit('sprung')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"code that is not run because a file says so.*try --model trap:spring"):
        measure_run(directory, [])
    with pytest.raises(ConfigError, match="got 'trap:spring', need 'other:one', as --model has it"):
        measure_run(directory, [], model="other:one")
    assert "trap" not in sys.modules


def test_a_factory_that_the_user_names_too_is_called(tmp_path, monkeypatch):
    (tmp_path / "mine_of_the_user.py").write_text(
        "from torch import nn\n\n\ndef net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    model = "mine_of_the_user:net"
    settings = settings_for(model, "digits", "dense", "2:8", epochs=1, batch=250, warmup_epochs=0.0)
    train(settings, tmp_path / "run", version="test")
    assert measure_run(tmp_path / "run", [("1", FF, Pattern(2, 8))], model=model).rows
