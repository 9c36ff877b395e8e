"""The figure that a training run supplies."""

import json

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.configs.pattern import Pattern
from bisparse.sim.results.simulation_result import Input
from bisparse.sim.studies.codesign.codesign import SCHEMA_VERSION, Codesign, CodesignPoint
from bisparse.sim.studies.explore.accuracy import Accuracy
from bisparse.sim.studies.explore.loading import load_space
from bisparse.sim.studies.statistics import Estimate
from bisparse.training.recipes.declaration import load_recipe


def point(recipe, sparsity, accuracy, *, baseline=False, optimizer="sgd-momentum"):
    estimate = Estimate(mean=accuracy, half_width=0.01)
    return CodesignPoint(
        recipe=recipe,
        title=recipe,
        sparsity=sparsity,
        optimizer=optimizer,
        learning_rate=0.1,
        baseline=baseline,
        seeds=(0, 1),
        test_accuracy=(accuracy,) * 2,
        test_loss=(0.1, 0.1),
        **dict.fromkeys(("accuracy", "loss", "accuracy_difference", "loss_difference"), estimate),
        switch_steps=(None, None),
        steps=1,
        phases=(),
        curve=(),
        patterns={},
        dense_reasons={},
        **dict.fromkeys(("step_seconds", "training_seconds", "training_joules", "trained_seconds"), 1.0),
        **dict.fromkeys(("speedup_vs_dense", "energy_ratio_vs_dense"), 1.0),
    )


@pytest.fixture
def directory(tmp_path):
    study = Codesign(
        bisparse_version="0",
        model="mlp",
        data="digits",
        hardware="sat-vcu1525",
        title={},
        settings={},
        parameters=1,
        layers=(),
        steps_per_epoch=1,
        precision_simulated="fp16",
        inputs={"recipe bdwp": Input(name="bdwp", sha256=load_recipe("bdwp").sha256)},
        points=(
            point("dense", "dense", 0.95, baseline=True),
            point("dense", "dense", 0.5, baseline=True, optimizer="adam"),
            point("bdwp", "2:8", 0.9),
        ),
        assumptions=(),
    )
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "codesign.json").write_text(json.dumps(study.document()))
    return folder


def test_accuracy_is_that_of_the_recipe_at_the_ratio(directory):
    accuracy = Accuracy.of(directory)
    assert (accuracy.model, accuracy.data) == ("mlp", "digits")
    assert accuracy.of_point(load_recipe("bdwp"), Pattern(2, 8)) == 0.9
    assert accuracy.of_point(load_recipe("dense"), Pattern(2, 8)) == 0.95, "the study's own optimizer"


def test_what_was_not_trained_has_no_accuracy(directory, tmp_path):
    accuracy = Accuracy.of(directory)
    with pytest.raises(ConfigError, match=r"got bdwp 2:4, need what .*study trained: dense, bdwp 2:8"):
        accuracy.of_point(load_recipe("bdwp"), Pattern(2, 4))
    other = tmp_path / "other.yaml"
    other.write_text("extends: bdwp\ndecay: {strength: 1.0, mask: forward}\n")
    with pytest.raises(ConfigError, match="a recipe bdwp that says something else"):
        Accuracy.of_point(accuracy, load_recipe(str(other)), Pattern(2, 8))


def test_a_sweep_takes_its_accuracy_from_a_study(directory, tmp_path):
    file = tmp_path / "sweep.yaml"
    file.write_text(
        "name: trained\nbase: {hardware: sat-vcu1525, workload: resnet9-cifar10, recipe: bdwp}\n"
        'axes: {sparsity: ["2:8", "2:4"]}\naccuracy: study\nconstraints: ["accuracy > 0.8"]\n'
        "objectives: [{maximise: accuracy}, {minimise: step_seconds}]\n"
    )
    space = load_space(file)
    trained, missing = space.choices()
    design = space.point(trained)
    assert space.supplied(design) == {"accuracy": 0.9}
    assert space.violated(trained, None) == ""
    assert "got accuracy 0.7, need" in space.violated(trained, {"accuracy": 0.7})
    with pytest.raises(ConfigError, match=r"^accuracy: got bdwp 2:4"):
        space.point(missing)
    file.write_text(file.read_text().replace("accuracy: study\n", ""))
    with pytest.raises(ConfigError, match="need a study that supplies it"):
        load_space(file)


def test_a_directory_without_a_study_is_refused(directory, tmp_path):
    with pytest.raises(ConfigError, match=r"got a directory without codesign\.json"):
        Accuracy.of(tmp_path)
    with pytest.raises(ConfigError, match="got no such directory"):
        Accuracy.of(tmp_path / "none")
    file = directory / "codesign.json"
    document = json.loads(file.read_text())
    for wrong, message in (
        ({**document, "schema_version": SCHEMA_VERSION + 1}, "of schema version"),
        ({**document, "kind": "simulation"}, "which is no study"),
        ({**document, "points": [{"recipe": "bdwp"}]}, r"points\.0\.title: got nothing, need this field"),
    ):
        file.write_text(json.dumps(wrong))
        with pytest.raises(ConfigError, match=message):
            Accuracy.of(directory)
    file.write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        Accuracy.of(directory)
