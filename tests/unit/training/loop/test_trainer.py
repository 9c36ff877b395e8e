"""A training run: what it leaves, that it goes on exactly where it was, and how it fails."""

from __future__ import annotations

import json
import math

import pytest
import torch
from bisparse.configs.errors import ConfigError, TrainingError
from bisparse.training.densities import load_densities
from bisparse.training.graph_file import load_graph
from bisparse.training.loop import train_all
from bisparse.training.run_summary import read_summary
from bisparse.training.settings import settings_for

from .short_runs import digits, log_rows, run, shortest

pytestmark = pytest.mark.usefixtures("one_thread", "captured_once")


# What it leaves -------------------------------------------------------------------------------------------------------


def test_a_finished_run_leaves_everything_that_a_simulation_and_a_report_need(tmp_path):
    summary = run(digits(epochs=2), tmp_path)
    left = {file.name for file in tmp_path.iterdir() if not file.name.startswith(".")}
    files = {"settings.json", "summary.json", "log.csv", "densities.csv", "graph.json", "weights.pt"}
    assert left == files | {"checksums.sha256"}
    assert read_summary(tmp_path) == summary
    assert summary.steps == 2 * summary.steps_per_epoch == len(log_rows(tmp_path))
    assert [epoch.step for epoch in summary.epochs] == [37, 74]
    assert set(summary.patterns.values().__iter__().__next__()) == {"FF", "BP"}
    assert load_graph(tmp_path / "graph.json").default_batch == 32


def test_a_run_learns(tmp_path):
    summary = run(digits(epochs=4), tmp_path)
    assert summary.test_accuracy > 0.85
    assert summary.epochs[-1].validation_loss < summary.epochs[0].validation_loss


def test_the_weights_it_leaves_are_pruned_and_load_into_a_plain_model(trained):
    from bisparse.training.data import load_data
    from bisparse.training.trainable import build

    directory = trained(digits())
    summary = read_summary(directory)
    model = build("mlp", load_data("digits"))
    model.load_state_dict(torch.load(directory / "weights.pt", weights_only=True))
    for path, patterns in summary.patterns.items():
        weight = model.get_submodule(path).weight
        if "FF" in patterns:
            assert int((weight.unflatten(1, (-1, 8)) != 0).sum(2).max()) <= 2


def test_densities_are_measured_layer_by_layer_and_epoch_by_epoch(trained):
    directory = trained(digits(epochs=2))
    summary = read_summary(directory)
    rows = load_densities(directory).rows
    assert {row.epoch for row in rows} == {1, 2}
    pruned = [row for row in rows if "FF" in summary.patterns.get(row.module, {})]
    assert all(row.forward_weight_density == pytest.approx(0.25) for row in pruned)
    # Behind a ReLU about half of the activations are zero; a mask under training changes.
    assert all(0.1 < row.input_density < 0.9 for row in rows if row.module != rows[0].module)
    assert any(row.mask_churn > 0 for row in pruned)


def test_a_layer_that_a_recipe_leaves_dense_is_dense_and_says_why(trained):
    directory = trained(digits())
    summary = read_summary(directory)
    rows = load_densities(directory).rows
    last = rows[-1]
    assert last.backward_weight_density == 1.0
    assert summary.dense_reasons[f"{last.module}:BP"] == "10 channels are not divisible by 8"


def test_recipes_are_paired_same_first_weights_and_same_data(trained):
    # SDGP's and SDWP's forward passes are dense: their first losses are dense training's.
    first = {log_rows(trained(shortest(recipe)))[0]["loss"] for recipe in ("dense", "sdgp", "sdwp")}
    assert len(first) == 1


def test_another_seed_is_another_run(trained):
    one, other = (read_summary(trained(digits(seed=seed))) for seed in (0, 1))
    assert one.weights_sha256 != other.weights_sha256


def test_training_leaves_the_callers_random_numbers_alone(tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run(digits(), tmp_path)
    assert torch.equal(torch.rand(3), expected)


def test_many_runs_give_their_summaries_in_order(trained, tmp_path):
    runs = [(shortest(recipe), tmp_path / recipe) for recipe in ("sdwp", "dense")]
    told, steps = [], []
    summaries = train_all(
        runs,
        version="test",
        jobs=2,
        done=lambda summary, done, of: told.append((done, of)),
        steps_done=lambda done, of: steps.append((done, of)),
    )
    assert [summary.recipe_name for summary in summaries] == ["sdwp", "dense"]
    assert told == [(1, 2), (2, 2)]
    assert steps[-1] == (36, 36)
    assert steps == sorted(steps), "a bar does not go back"
    alone = read_summary(trained(shortest("dense")))
    assert summaries[1].weights_sha256 == alone.weights_sha256


# Precision ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_16_bit_operands_train_to_about_the_same_loss(precision, trained):
    full, short = (read_summary(trained(digits(epochs=2, precision=used))) for used in ("fp32", precision))
    assert short.weights_sha256 != full.weights_sha256
    assert short.validation_loss == pytest.approx(full.validation_loss, abs=0.15)


def test_fp16_scales_its_loss_and_says_so_in_the_log(trained):
    assert float(log_rows(trained(digits(precision="fp16")))[0]["loss_scale"]) >= 2**14


# Failing --------------------------------------------------------------------------------------------------------------


def test_a_loss_that_is_no_number_ends_the_run_and_says_what_to_try(tmp_path):
    with pytest.raises(TrainingError, match=r"step \d+ \(epoch 1\): got a loss of (nan|inf), need a finite one; try a"):
        run(digits(learning_rate=1e4), tmp_path)
    assert not (tmp_path / "summary.json").exists()


def test_step_needs_adam(tmp_path):
    with pytest.raises(ConfigError, match="optimizer: got sgd-momentum, need adam: step waits for its variance"):
        run(settings_for("mlp", "digits", "step", "2:8", epochs=1), tmp_path)
    assert not (tmp_path / "settings.json").exists()


def test_a_model_that_multiplies_by_a_weight_out_of_reach_is_refused(tmp_path, monkeypatch):
    (tmp_path / "attending.py").write_text(
        "from torch import nn\n"
        "class Attending(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)\n"
        "        self.head = nn.Linear(8, 10)\n"
        "    def forward(self, images):\n"
        "        rows = images.squeeze(1)\n"
        "        return self.head(self.attention(rows, rows, rows, need_weights=False)[0].mean(1))\n"
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"attention\S*: got dense in training and 2:8 in simulation"):
        run(settings_for("attending:Attending", "digits", "bdwp", "2:8", epochs=1), tmp_path / "run")


def test_a_summary_that_is_none_is_told(tmp_path):
    (tmp_path / "summary.json").write_text(json.dumps({"schema_version": 1}))
    with pytest.raises(ConfigError, match=r"summary\.json: settings: got nothing, need this field"):
        read_summary(tmp_path)
    with pytest.raises(ConfigError, match="got no readable summary"):
        read_summary(tmp_path / "nowhere")


def test_settings_refuse_what_no_run_can_be(tmp_path):
    for wrong, told in (
        ({"epochs": 0}, "epochs: got 0, need an integer of at least 1"),
        ({"learning_rate": math.nan}, "learning_rate: got nan"),
        ({"optimizer": "lion"}, "optimizer: got 'lion', need one of sgd, sgd-momentum, adam"),
        ({"precision": "fp8"}, "precision: got 'fp8', need one of fp32, fp16, bf16"),
        ({"warmup_epochs": 3.0}, "warmup_epochs: got 3.0, need at most the 1 epochs"),
    ):
        with pytest.raises(ConfigError, match=told):
            digits(**wrong)


# What a user may do to a run ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("nn.Linear(64, 15)", "got 15 outputs, need 10, one for each class of digits"),
        ("nn.Linear(64, 10).double()", "got RuntimeError in its first step"),
    ],
)
def test_a_model_that_cannot_learn_the_classes_is_told(body, told, tmp_path, monkeypatch):
    name = f"wrong{abs(hash(body))}"
    (tmp_path / f"{name}.py").write_text(
        f"from torch import nn\ndef made():\n    return nn.Sequential(nn.Flatten(), {body})\n"
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=told):
        run(settings_for(f"{name}:made", "digits", "dense", "2:8", epochs=1), tmp_path / "run")


def test_a_layer_that_is_never_called_does_not_stand_in_the_way(tmp_path, monkeypatch):
    (tmp_path / "idle.py").write_text(
        "from torch import nn\n"
        "class Idle(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.used, self.unused = nn.Linear(64, 10), nn.Linear(64, 64)\n"
        "    def forward(self, images):\n"
        "        return self.used(images.flatten(1))\n"
    )
    monkeypatch.chdir(tmp_path)
    assert run(settings_for("idle:Idle", "digits", "bdwp", "2:8", epochs=1), tmp_path / "run").steps


@pytest.mark.parametrize("device", ["tpu99", "cuda" if not torch.cuda.is_available() else "cuda:99", "meta"])
def test_a_device_that_is_not_there_is_told(device, tmp_path):
    with pytest.raises(ConfigError, match=f"device: got '{device}', need one that torch has here"):
        run(digits(), tmp_path, device=device)


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    def full(*_):
        raise RuntimeError("[enforce fail at inline_container.cc:672]")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(ConfigError, match="need room on the disk"):
        run(digits(), tmp_path)


def test_a_study_says_which_run_diverged(tmp_path):
    with pytest.raises(TrainingError, match=r"^wild: step \d+"):
        train_all([(digits(learning_rate=1e4), tmp_path / "wild")], version="test", jobs=1)
