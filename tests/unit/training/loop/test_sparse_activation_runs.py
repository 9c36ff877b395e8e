"""Runs of recipes whose activations leave zeros: what is measured is what is declared, and what is simulated."""

from __future__ import annotations

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import ConfigError
from bisparse.configs.pattern import DENSE
from bisparse.sim.options import Options
from bisparse.sim.simulation import Simulator, Workload
from bisparse.training.densities import load_densities
from bisparse.training.graph_file import load_graph
from bisparse.training.loop import run as training_run
from bisparse.training.recipes.declaration import load_recipe

from .short_runs import KilledError, digits, killed_at, run

pytestmark = pytest.mark.usefixtures("one_thread", "captured_once")

READERS = ("3", "5", "7")
"""Layers of the MLP that read an activation."""


def of(recipe, **given):
    return digits(recipe, sparsity="1:1", **given)


def densities_of(tmp_path, recipe, **given):
    run(of(recipe, **given), tmp_path / recipe)
    return load_densities(tmp_path / recipe)


@pytest.mark.parametrize("base", ["cats", "chess", "lazy-neuron-top-k"])
def test_a_cut_leaves_the_zeros_that_the_recipe_declares(base, tmp_path):
    """More than the ReLUs of the network leave by themselves."""
    (entry,) = load_recipe(base).model.rewrites
    cut = entry.cut.model_dump_json(exclude_none=True)
    mine = f"extends: {base}\nname: mine\nrewrites:\n  - {{kind: activation, zeros_percent: 75, cut: {cut}}}\n"
    (tmp_path / "mine.yaml").write_text(mine)
    run(of(str(tmp_path / "mine.yaml")), tmp_path / "run")
    found = load_densities(tmp_path / "run").at_last
    for layer in READERS:
        assert found[layer].input_density == pytest.approx(0.25, abs=0.06)


def test_a_rising_penalty_leaves_more_zeros_than_the_function_alone_and_than_it_began_with(tmp_path):
    penalised = densities_of(tmp_path, "prosparse", epochs=3)
    plain = densities_of(tmp_path, "lazy-neuron", epochs=3)
    for layer in READERS:
        assert penalised.at_last[layer].input_density < 0.85 * plain.at_last[layer].input_density
        first = next(row for row in penalised.rows if row.epoch == 1 and row.module == layer)
        assert penalised.at_last[layer].input_density < first.input_density


def test_a_run_that_is_interrupted_where_thresholds_are_found_ends_in_the_same_ones(tmp_path, monkeypatch):
    whole = run(of("chess"), tmp_path / "whole")
    monkeypatch.setattr(training_run, "CHECKPOINT_SECONDS", 0.0)
    for step in (22, 30, 35):
        with pytest.raises(KilledError):
            run(of("chess"), tmp_path / "cut", progress=killed_at(step))
    cut = run(of("chess"), tmp_path / "cut")
    assert cut.weights_sha256 == whole.weights_sha256
    assert cut.test_loss == whole.test_loss
    assert load_densities(tmp_path / "cut").rows == load_densities(tmp_path / "whole").rows


def simulated(tmp_path, recipe, hardware, densities, **asked):
    graph = load_graph(tmp_path / recipe / "graph.json")
    simulator = Simulator(
        workload=Workload(graph=graph, sha256=""),
        hardware=load_hardware(hardware),
        options=Options(densities=densities, **asked),
        version="test",
    )
    return simulator.run(load_recipe(recipe), DENSE)


@pytest.mark.parametrize("hardware", ["sat-vcu1525", "sat-intersection"])
def test_what_was_measured_goes_before_what_is_declared(tmp_path, hardware):
    densities = densities_of(tmp_path, "lazy-neuron")
    graph = load_graph(tmp_path / "lazy-neuron" / "graph.json")
    declared, measured = (
        simulated(tmp_path, "lazy-neuron", hardware, each, pass_="inference") for each in (None, densities)
    )
    assert declared.effectual_macs < measured.effectual_macs < graph.macs(declared.batch) / 3
    (entry,) = load_recipe("lazy-neuron").model.rewrites
    assert 1 - entry.zeros < densities.at_last["3"].input_density
    if hardware == "sat-vcu1525":
        assert declared.total_cycles == measured.total_cycles, "it skips no zeros that lie without a rule"
    else:
        assert declared.total_cycles <= measured.total_cycles


def test_a_network_without_tokens_has_no_sentence(tmp_path):
    with pytest.raises(ConfigError, match=r"cut.by: got core of 2, .* need \[batch, tokens, neurons\]"):
        run(of("coreinfer"), tmp_path / "run")
