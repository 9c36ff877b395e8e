"""Runs that begin with weights of another one."""

import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.training.settings import settings_for

from .short_runs import digits, run

pytestmark = pytest.mark.usefixtures("one_thread")

ADAPTERS = """
name: mine
title: "Adapters"
source: "a test"
rewrites: [{kind: adapters, rank: 4, layers: ["1", "3"]}]
"""


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    folder = tmp_path_factory.mktemp("first")
    run(digits("dense"), folder / "run")
    return folder / "run"


def test_it_begins_where_the_other_one_ended(first, tmp_path):
    run(digits("dense", start=str(first), learning_rate=1e-12), tmp_path / "again")
    before, after = (torch.load(each / "weights.pt", weights_only=True) for each in (first, tmp_path / "again"))
    assert all(torch.allclose(after[name], before[name], atol=1e-6) for name in before)


def test_adapters_change_the_layers_that_they_were_merged_into_and_nothing_else(first, tmp_path):
    layers = [name for name in torch.load(first / "weights.pt", weights_only=True) if name.endswith("weight")][:2]
    named = ", ".join(f'"{name.removesuffix(".weight")}"' for name in layers)
    (tmp_path / "mine.yaml").write_text(ADAPTERS.replace('"1", "3"', named))
    summary = run(digits(str(tmp_path / "mine.yaml"), start=str(first / "weights.pt")), tmp_path / "tuned")
    before, after = (torch.load(each / "weights.pt", weights_only=True) for each in (first, tmp_path / "tuned"))
    assert {name for name in before if not torch.equal(before[name], after[name])} == set(layers)
    assert summary.test_accuracy > 0.9


def test_what_it_cannot_begin_with_is_told(first, tmp_path):
    with pytest.raises(ConfigError, match=r"start: got nowhere, need a run's folder, or a file of weights"):
        run(digits("dense", start="nowhere"), tmp_path / "run")
    (tmp_path / "text.pt").write_text("no weights")
    with pytest.raises(ConfigError, match=r"start: got .*text.pt, which torch cannot read"):
        run(digits("dense", start=str(tmp_path / "text.pt")), tmp_path / "run")
    with pytest.raises(ConfigError, match=r"start: .*weights.pt: .* got it .* need it .*; try the weights of a run of"):
        run(settings_for("vit", "digits", "dense", "2:8", epochs=1, start=str(first)), tmp_path / "run")


def test_a_run_that_is_finished_is_found_again_with_the_weights_that_it_began_with_and_no_others(first, tmp_path):
    moved, other = tmp_path / "moved.pt", tmp_path / "other.pt"
    moved.write_bytes((first / "weights.pt").read_bytes())
    torch.save({name: 2 * each for name, each in torch.load(moved, weights_only=True).items()}, other)
    once = run(digits("dense", start=str(first)), tmp_path / "run")
    assert run(digits("dense", start=str(moved)), tmp_path / "run") == once
    for start in (str(other), None):
        with pytest.raises(ConfigError, match=r"got a run with another start, need the same; try another --out"):
            run(digits("dense", start=start), tmp_path / "run")
