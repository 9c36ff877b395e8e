"""Networks that are trained, looked at, and then become narrower: post-training pruning in one run."""

import pytest
import torch
from bisparse.training.settings import settings_for

from .short_runs import log_rows, run

pytestmark = pytest.mark.usefixtures("one_thread")


def ended(name, directory):
    """Phases of a short run of a vision transformer, and shapes of what it ended with."""
    summary = run(settings_for("vit", "digits", name, "0%", epochs=1, learning_rate=3e-3), directory)
    weights = torch.load(directory / "weights.pt", weights_only=True)
    return summary, [row["phase"] for row in log_rows(directory)], {key: each.shape for key, each in weights.items()}


def test_flap_prunes_what_fluctuates_least_and_trains_nothing_after(tmp_path):
    summary, phases, shapes = ended("flap", tmp_path / "run")
    assert phases[-5:] == ["calibration"] * 4 + ["pruned"]
    assert set(phases[:-5]) == {"training"}
    assert shapes["blocks.0.feed_forward.0.weight"] == (205, 64)
    assert shapes["blocks.1.attention.projection.weight"] == (64, 48), "three heads of four"
    assert summary.test_accuracy > 0.3


def test_cfsp_gives_blocks_budgets_and_tunes_what_is_left(tmp_path):
    _, phases, shapes = ended("cfsp", tmp_path / "run")
    assert phases.count("calibration") == 1
    assert phases[-1] == "fine-tuning"
    neurons = [shapes[f"blocks.{block}.feed_forward.0.weight"][0] for block in (0, 1)]
    assert neurons == [192, 128]


def test_adapters_learn_beside_what_is_left_of_a_network_and_are_merged(tmp_path):
    _, _, shapes = ended("dsee-structured", tmp_path / "run")
    assert not [name for name in shapes if "adapter" in name]
    assert shapes["blocks.0.feed_forward.2.weight"] == (64, 192)
    assert shapes["blocks.1.attention.query_key_value.weight"] == (3 * 48, 64)
