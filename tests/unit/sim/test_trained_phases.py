"""What a training run multiplied by, layer by layer at the end of each epoch, is what its simulation takes it to be."""

import pytest

pytest.importorskip("torch")

from bisparse.accel.specification import load_hardware
from bisparse.configs.formats import parse_format
from bisparse.sim.trained import simulate_trained
from bisparse.training.densities import load_densities
from bisparse.training.loop import train
from bisparse.training.settings import settings_for

CASES = [
    ("gradual-magnitude", "75%", 4),
    ("sdgf-stepwise", "2:8", 3),
    ("iss-p", "75%", 2),
]
"""Recipe, ratio, and how many densities its epochs have at the least."""


@pytest.mark.parametrize(("recipe", "ratio", "several"), CASES)
def test_layer_by_layer_and_phase_by_phase_densities_are_those_simulated(recipe, ratio, several, tmp_path):
    settings = settings_for("mlp", "digits", recipe, ratio, epochs=8, batch=300)
    summary = train(settings, tmp_path, version="test")
    simulated = simulate_trained(summary, tmp_path, load_hardware("sat-unstructured"), version="test")
    steps_of_epoch = summary.steps // 8
    seen = set()
    for row in load_densities(tmp_path).rows:
        if row.module not in summary.patterns:
            assert row.forward_weight_density == 1.0
            continue
        step = row.epoch * steps_of_epoch - 1
        (phase,) = [each for each in simulated.phases if each.first_step <= step < each.first_step + each.steps]
        expected = 1.0 if phase.costs_as == "dense" else parse_format(phase.costs_as).density
        assert row.forward_weight_density == pytest.approx(expected, abs=2e-3), (row.module, row.epoch, phase.kind)
        seen.add(expected)
    assert len(seen) >= several
    assert parse_format(ratio).density in seen
