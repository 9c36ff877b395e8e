"""Recipes that rewrite layers, simulated: the dense step beside them, passes, schedules, phases, what is refused."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import BisparseError, ConfigError
from bisparse.configs.pattern import DENSE, Pattern
from bisparse.configs.schema import Loaded
from bisparse.reports.run.rewrite_words import rewrite_sentences
from bisparse.sim.options import Options
from bisparse.sim.results.simulation_result import SimulationResult
from bisparse.sim.schedule_file import load_schedule, save_schedule
from bisparse.sim.simulation import Simulator
from bisparse.sim.studies.ablation.run_ablation import ablate
from bisparse.sim.studies.assignment.run_assignment import Assigner
from bisparse.sim.studies.codesign.plan import plan
from bisparse.sim.studies.sensitivity.run_sensitivity import with_range
from bisparse.sim.training_run import simulate_training
from bisparse.training.densities import LayerDensities, LayerDensity, load_densities, write_densities
from bisparse.training.recipes.declaration import Recipe, load_recipe

from bisparse.api import load_workload

EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "rewrites").glob("*.yaml"))
LOW_RANK = """
name: low
title: "Low rank"
source: "a test"
rewrites:
  - {kind: low-rank, rank: 8, layers: ["3.*", "4"]}
"""


@pytest.fixture(scope="module")
def simulator():
    return Simulator(
        workload=load_workload("resnet9-cifar10"),
        hardware=load_hardware("sat-vcu1525"),
        options=Options(batch=16),
        version="test",
    )


@pytest.fixture
def recipe(tmp_path):
    def made(text: str = LOW_RANK) -> Loaded[Recipe]:
        file = tmp_path / "recipe.yaml"
        file.write_text(text)
        return load_recipe(str(file))

    return made


def test_the_dense_step_beside_it_is_that_of_the_network_as_it_was(simulator, recipe):
    result, dense = simulator.run(recipe(), DENSE), simulator.run(load_recipe("dense"), DENSE)
    assert result.dense == dense.dense
    assert result.speedup_vs_dense == dense.total_cycles / result.total_cycles > 1
    (entry,) = result.rewrites
    assert result.flop_bound_speedup == pytest.approx(entry.step_macs_before / entry.step_macs)
    assert result.useful_macs == entry.step_macs
    assert entry.layers == ("3.body.0.0", "3.body.1.0", "4.0")
    assert entry.step_macs_before == simulator.graph.macs(16)
    assert entry.weights < entry.weights_before


def test_a_document_says_it_and_is_read_back(simulator, recipe):
    result = simulator.run(recipe(), DENSE)
    document = json.loads(json.dumps(result.document()))
    assert document["rewrites"][0]["kind"] == "low-rank"
    assert SimulationResult.from_document(document).rewrites == result.rewrites
    (sentence,) = rewrite_sentences(result)
    assert sentence.startswith("low rewrites 3 layers: low rank 8. The forward pass has ")
    assert "rewrites" not in simulator.run(load_recipe("bdwp"), Pattern(2, 8)).document()


@pytest.mark.parametrize("options", [{"pass_": "inference"}, {"accumulate": 4}, {"freeze": "0"}, {"engine": "event"}])
def test_every_pass_and_engine_takes_it(simulator, recipe, options):
    under = simulator.with_options(replace(simulator.options, **options))
    assert under.run(recipe(), DENSE).speedup_vs_dense > 1


def test_masks_are_laid_over_what_it_leaves(simulator, recipe):
    pruned = recipe(LOW_RANK + "forward: {operand: weight}\nlayers: [{names: ['3.*.reduce'], sparsity: '4:8'}]\n")
    prunings = simulator.schedule(pruned, Pattern(2, 8)).pruned.prunings
    assert str(prunings["3.body.0.0.reduce:FF"].pattern) == "4:8"
    assert "3.body.0.0:FF" not in prunings


def test_a_schedule_is_saved_and_replayed(simulator, recipe, tmp_path):
    loaded = recipe()
    schedule = simulator.schedule(loaded, DENSE)
    save_schedule(schedule, tmp_path / "schedule.json")
    saved = load_schedule(tmp_path / "schedule.json")
    again = simulator.schedule(loaded, DENSE, decisions=saved.decisions)
    saved.check_products(again)
    assert simulator.run_schedule(again, loaded).total_cycles == simulator.run(loaded, DENSE).total_cycles
    with pytest.raises(BisparseError, match="need "):
        saved.check_products(simulator.schedule(load_recipe("dense"), DENSE))


def test_a_phase_that_prunes_nothing_still_has_the_layers_of_the_recipe(simulator, recipe):
    pruned = recipe(LOW_RANK + "forward: {operand: weight}\nschedule: {dense_share: 0.5}\n")
    dense, sparse = simulate_training(simulator, pruned, Pattern(2, 8), 10).phases
    assert dense.step_cycles == simulator.run(recipe(), DENSE).total_cycles
    assert sparse.step_cycles == simulator.run(pruned, Pattern(2, 8)).total_cycles
    (only,) = simulate_training(simulator, recipe(), DENSE, 10).phases
    assert only.step_cycles == dense.step_cycles


def test_an_ablation_and_a_range_take_it(simulator, recipe):
    ablation = ablate(simulator, recipe(), DENSE)
    assert all(row.figures.speedup_vs_dense > 1 for row in ablation.rows if row.figures is not None)
    result = simulator.run(recipe(), DENSE)
    assert with_range(simulator, result, recipe(), DENSE, draws=2).range is not None


def test_what_does_not_train_says_so(simulator, recipe):
    untrained = recipe(re.sub(r"{kind: low-rank.*}", "{kind: hashed-attention, buckets: 4}", LOW_RANK))
    message = r"low: got a recipe that is simulated alone, for training does not know rewrites of layers \("
    with pytest.raises(ConfigError, match=message):
        untrained.model.check_trains()
    with pytest.raises(ConfigError, match=message):
        plan(
            "mlp",
            "digits",
            recipes=[str(untrained.sources[0])],
            sparsities=["2:8"],
            seeds=1,
            hardware=simulator.hardware,
        )
    pruned = recipe(LOW_RANK + "forward: {operand: weight}\n")
    with pytest.raises(ConfigError, match="recipe: got low, which rewrites layers"):
        Assigner(simulator=simulator, recipe=pruned, ratios=(Pattern(2, 8),))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            '{kind: low-rank, rank: 8, layers: ["5x"]}',
            r":5: rewrites.0.layers.0: got '5x', need the path of a layer with",
        ),
        ("{kind: low-rank, rank: 4096}", ":5: rewrites.0.layers: got *, need a layer of resnet9-cifar10 that can be"),
        ("{kind: low-rank}", ":5: rewrites.0.rank: got nothing, need"),
        ("{kind: lowrank, rank: 8}", ":5: rewrites.0.kind: got 'lowrank', need activation or adapters or "),
        ("{kind: low-rank, rank: 8, rang: 4}", ":5: rewrites.0.rang: got rang, need a known field; try rank"),
        ('{kind: low-rank, rank: 8, except_layers: ["*"]}', ":5: rewrites.0.except_layers: got *, need a layer of"),
        ("{kind: sparse-plus-low-rank, rank: 8}", ":5: rewrites.0.kept_percent: got nothing with form rebuilt, need"),
    ],
)
def test_faults_have_a_file_a_line_and_a_field(simulator, recipe, entry, message):
    head = LOW_RANK[: LOW_RANK.index("  - ")].lstrip()
    with pytest.raises(ConfigError) as told:
        simulator.run(recipe(f"{head}  - {entry}\n"), DENSE)
    assert f"recipe.yaml{message}" in str(told.value)


def test_the_baseline_rewrites_nothing(recipe):
    with pytest.raises(ConfigError, match="name: got dense of a recipe that rewrites layers, need another"):
        recipe(LOW_RANK.replace("name: low", "name: dense"))


OF = {"delta-activations": "resnet18-tinyimagenet"}
"""Workloads of examples that are not for a vision transformer."""


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_the_examples_run(file):
    loaded = load_recipe(str(file))
    under = Simulator(
        workload=load_workload(OF.get(file.stem, "vit-cifar10")),
        hardware=load_hardware("sat-vcu1525"),
        options=Options(batch=4, pass_="inference" if file.stem == "delta-activations" else "training"),
        version="test",
    )
    step = under.run(loaded, Pattern(2, 8))
    if loaded.model.rewrites:
        assert step.rewrites[0].layers
    else:
        # Its last phase alone has them.
        last = simulate_training(under, loaded, Pattern(2, 8), 100).phases[-1]
        assert last.step_seconds > step.step_seconds


def test_what_was_measured_of_the_layers_is_refused(simulator, recipe, tmp_path):
    write_densities(tmp_path / "densities.csv", [LayerDensity(epoch=0, module="4.0", input_density=0.5)])
    under = simulator.with_options(replace(simulator.options, densities=load_densities(tmp_path / "densities.csv")))
    under.run(load_recipe("dense"), DENSE)
    with pytest.raises(ConfigError, match=r"densities: got modules of .* such as .4.0., need those of resnet9-cifar10"):
        under.run(recipe(), DENSE)


def test_what_was_measured_of_layers_that_a_recipe_made_goes_with_it(simulator, recipe):
    rows = tuple(LayerDensity(epoch=0, module=f"4.0.{part}", input_density=0.5) for part in ("reduce", "expand"))
    measured = LayerDensities(name="run", sha256="", rows=rows, trained_as=("low", "dense"))
    under = simulator.with_options(replace(simulator.options, densities=measured))
    result = under.run(recipe(), DENSE)
    assert result.densities.matched_modules == 2
    assert result.effectual_macs < result.useful_macs
    with pytest.raises(ConfigError, match=r"densities: got modules of run such as '4.0.reduce', need those of"):
        under.run(load_recipe("bdwp"), Pattern(2, 8))


def test_adapters_are_merged_in_inference_and_their_step_computes_again_what_it_is_told_to():
    lora = load_recipe("lora")
    step = Simulator(
        workload=load_workload("vit-cifar10"),
        hardware=load_hardware("sat-vcu1525"),
        options=Options(batch=4),
        version="test",
    )
    inference = step.with_options(Options(batch=4, pass_="inference"))
    merged = inference.run(lora, DENSE)
    assert merged.total_cycles == merged.dense.total_cycles
    assert merged.rewrites[0].says
    assert not merged.rewrites[0].changes
    again = step.with_options(Options(batch=4, recompute="blocks"))
    trained, recomputed = step.run(lora, DENSE), again.run(lora, DENSE)
    assert recomputed.memory.peak_bytes < trained.memory.peak_bytes
    assert recomputed.useful_macs > trained.useful_macs
