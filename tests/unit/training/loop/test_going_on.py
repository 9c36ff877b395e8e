"""A run that was interrupted goes on bit for bit, from nothing but what it left itself."""

from __future__ import annotations

import importlib
import shutil
import sys

import pytest
import torch
from bisparse.configs.errors import ConfigError, TrainingError
from bisparse.training.densities import load_densities
from bisparse.training.loop import run as training_run
from bisparse.training.loop.checkpoint import load_checkpoint
from bisparse.training.run_summary import read_summary
from bisparse.training.settings import settings_for

from ..trained_recipes import TRAINED
from .short_runs import KilledError, digits, killed_at, log_rows, run, shortest

pytestmark = pytest.mark.usefixtures("one_thread", "captured_once")


@pytest.mark.parametrize("recipe", TRAINED)
def test_an_interrupted_run_ends_in_the_same_weights_bit_for_bit(recipe, tmp_path, trained, monkeypatch):
    uncut = trained(shortest(recipe))
    whole = read_summary(uncut)
    monkeypatch.setattr(training_run, "CHECKPOINT_SECONDS", 0.0)
    # Often where a run has two phases; once is enough where every step is like the last.
    for step in (4, 10, 11) if recipe == "step" else (10,):
        with pytest.raises(KilledError):
            run(shortest(recipe), tmp_path / "cut", progress=killed_at(step))
    cut = run(shortest(recipe), tmp_path / "cut")
    assert cut.weights_sha256 == whole.weights_sha256
    assert cut.epochs == whole.epochs
    assert cut.switch_step == whole.switch_step
    assert log_rows(tmp_path / "cut") == log_rows(uncut)
    assert load_densities(tmp_path / "cut").rows == load_densities(uncut).rows


def test_a_run_in_16_bits_goes_on_bit_for_bit_too(tmp_path, trained, monkeypatch):
    whole = read_summary(trained(digits(precision="fp16")))
    monkeypatch.setattr(training_run, "CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(KilledError):
        run(digits(precision="fp16"), tmp_path / "cut", progress=killed_at(17))
    assert run(digits(precision="fp16"), tmp_path / "cut").weights_sha256 == whole.weights_sha256


def test_a_finished_run_is_not_trained_again(trained):
    directory = trained(digits())
    assert run(digits(), directory, progress=killed_at(1)) == read_summary(directory)


def test_a_directory_of_other_settings_is_refused(trained):
    with pytest.raises(ConfigError, match=r"got a run with learning_rate 0\.05, need 0\.2; try another --out"):
        run(digits(learning_rate=0.2), trained(digits()))


@pytest.fixture(scope="module")
def killed_run(tmp_path_factory):
    """The directory of a run that was killed behind a checkpoint."""
    directory = tmp_path_factory.mktemp("killed")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(training_run, "CHECKPOINT_SECONDS", 0.0)
        with pytest.raises(KilledError):
            run(digits(), directory, progress=killed_at(20))
    return directory


@pytest.fixture
def checkpoint(killed_run, tmp_path):
    """The checkpoint of a killed run of the test's own."""
    return shutil.copytree(killed_run, tmp_path / "cut") / "checkpoint.pt"


def test_a_checkpoint_cut_short_is_told(checkpoint):
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])
    with pytest.raises(ConfigError, match=r"checkpoint\.pt: got no readable checkpoint"):
        run(digits(), checkpoint.parent)


def test_no_flipped_bit_of_a_checkpoint_is_trained_on_with(checkpoint):
    content = checkpoint.read_bytes()
    state = torch.load(checkpoint, weights_only=True)
    refused = 0
    for part in range(1, 20):
        damaged = bytearray(content)
        damaged[len(content) * part // 20] ^= 64
        checkpoint.write_bytes(damaged)
        try:
            taken = load_checkpoint(checkpoint)
        except ConfigError as error:
            refused += str(error).startswith(f"{checkpoint}: got no readable checkpoint (")
        else:
            # What the bit is of says nothing: the room between two tensors.
            assert repr(taken) == repr({name: value for name, value in state.items() if name != "sha256"})
    assert refused > 10


@pytest.mark.parametrize(
    "change",
    [
        {"densities": None},
        {"step": "20"},
        {"step": -1},
        {"step": 10**9},
        {"epochs": [{"epoch": 1}]},
        {"model": {}},
        {"optimizer": []},
        {"random": 7},
        {"seconds": "long"},
        {"identity": []},
        {"more": 1},
    ],
)
def test_a_checkpoint_of_another_layout_is_told(checkpoint, change):
    state = torch.load(checkpoint, weights_only=True)
    del state["sha256"]
    torch.save(state | change, checkpoint)
    with pytest.raises(ConfigError, match=r"checkpoint\.pt: got (no readable checkpoint \(|no settings of a run)"):
        run(digits(), checkpoint.parent)


def test_a_checkpoint_of_before_there_were_checksums_is_gone_on_from(checkpoint, trained):
    state = torch.load(checkpoint, weights_only=True)
    del state["sha256"]
    torch.save(state, checkpoint)
    assert run(digits(), checkpoint.parent).weights_sha256 == read_summary(trained(digits())).weights_sha256


def test_what_a_finished_run_left_is_what_others_go_on_from(trained, tmp_path):
    directory = shutil.copytree(trained(digits()), tmp_path / "run")
    for name in ("summary.json", "densities.csv"):
        file = directory / name
        content = file.read_bytes()
        file.write_bytes(content + b"\n")
        with pytest.raises(ConfigError, match="got another content than the run wrote, by its checksum in checksums"):
            load_densities(directory)
        file.write_bytes(content)
    sums = directory / "checksums.sha256"
    sums.write_text("nothing of the kind\n")
    with pytest.raises(ConfigError, match=r"checksums\.sha256: got a damaged list"):
        load_densities(directory)
    sums.unlink()
    assert load_densities(directory).rows, "as of a run of before there were checksums"


def test_a_run_whose_last_loss_is_no_number_does_not_count_as_finished(tmp_path):
    # One step, finite before it: only what is measured after it can tell.
    with pytest.raises(TrainingError, match=r"got a loss of (nan|inf) on the validation split"):
        run(digits(batch=1197, learning_rate=1e30, warmup_epochs=0.0), tmp_path)
    assert not (tmp_path / "summary.json").exists()


def test_settings_that_came_to_nothing_may_be_changed(tmp_path):
    with pytest.raises(TrainingError):
        run(digits(learning_rate=1e4), tmp_path)
    assert run(digits(), tmp_path).settings.learning_rate == 0.05


def test_a_checkpoint_of_another_run_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(training_run, "CHECKPOINT_SECONDS", 0.0)
    for seed in (0, 1):
        with pytest.raises(KilledError):
            run(digits(seed=seed), tmp_path / str(seed), progress=killed_at(5))
    (tmp_path / "1" / "checkpoint.pt").replace(tmp_path / "0" / "checkpoint.pt")
    with pytest.raises(ConfigError, match=r"checkpoint\.pt: got a run with seed 1, need 0"):
        run(digits(seed=0), tmp_path / "0")


def test_a_second_process_in_the_same_directory_is_refused(tmp_path):
    def second(task, done, of):
        if done in (1, of):
            with pytest.raises(ConfigError, match="got a run under way in another process"):
                run(digits(), tmp_path)

    run(digits(), tmp_path, progress=second)


def test_a_factory_whose_code_changed_is_told_before_and_after_the_end(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training_run, "CHECKPOINT_SECONDS", 0.0)

    def written(width, number):
        (tmp_path / f"made{number}.py").write_text(
            f"from torch import nn\ndef made{number}():\n"
            f"    return nn.Sequential(nn.Flatten(), nn.Linear(64, {width}), nn.ReLU(), nn.Linear({width}, 10))\n"
        )

    def settings(number):
        return settings_for(f"made{number}:made{number}", "digits", "bdwp", "2:8", epochs=1)

    def forgotten(number):
        sys.modules.pop(f"made{number}", None)
        importlib.invalidate_caches()

    written(16, 1)
    with pytest.raises(KilledError):
        run(settings(1), tmp_path / "cut", progress=killed_at(5))
    # Of another length, so that no bytecode of the same second is taken for it.
    written(160, 1)
    forgotten(1)
    with pytest.raises(ConfigError, match="got a run with another graph, need the same"):
        run(settings(1), tmp_path / "cut")
    written(16, 2)
    run(settings(2), tmp_path / "whole")
    assert run(settings(2), tmp_path / "whole").steps == 11
    written(160, 2)
    forgotten(2)
    with pytest.raises(ConfigError, match="got a run with another graph, need the same"):
        run(settings(2), tmp_path / "whole")
