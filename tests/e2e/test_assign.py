"""``bisparse assign``: from a dense run to a recipe that simulates and trains."""

import itertools

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.pattern import Pattern
from bisparse.sim.options import Options
from bisparse.sim.simulation import Simulator
from bisparse.sim.studies.assignment.prices import purses
from bisparse.sim.studies.assignment.run_assignment import Assigner
from bisparse.training.layer_costs import load_layer_costs
from bisparse.training.recipes.declaration import load_recipe

from bisparse.api import load_workload

pytest.importorskip("torch")


@pytest.fixture
def trained(run, tmp_path):
    asked = ("train", "--model", "mlp", "--data", "digits", "--epochs", 1, "--batch", 250, "--warmup-epochs", 0)
    assert run(*asked, "--recipe", "dense", "--out", "dense").code == 0
    return asked


def test_a_ratio_for_each_layer_from_a_run_to_a_recipe(run, tmp_path, trained):
    assert run("assign", "dense", "--out", "found/mine.yaml").out.rstrip().endswith("recipe: found/mine.yaml")
    text = (tmp_path / "found" / "mine.yaml").read_text()
    assert "# Made by: bisparse assign dense --out found/mine.yaml" in text

    (tmp_path / "dense" / "weights.pt").unlink()
    document = run("assign", "dense", "--json").document
    assert document["optimizer"] == "sgd-momentum", "the run's own"
    uniform = {step["sparsity"]: step for step in document["uniform"]}
    assert document["assigned"]["within"]
    assert document["assigned"]["total_cycles"] <= uniform["2:8"]["total_cycles"]
    simulated = run("simulate", "dense/graph.json", "--recipe", "found/mine.yaml", "--json").document
    assert simulated["total_cycles"] == document["assigned"]["total_cycles"]

    assert run(*trained, "--recipe", "found/mine.yaml", "--out", "sparse", "--json").code == 0
    patterns = run(*trained, "--recipe", "found/mine.yaml", "--out", "sparse", "--json").document["patterns"]
    ratios = {(each["module"], each["stage"]): each["sparsity"] for each in document["layers"]}
    for (module, stage), sparsity in ratios.items():
        assert patterns.get(module, {}).get(stage, "dense") == sparsity


def test_sensitivity_and_a_recipe_of_one_s_own(run, tmp_path, trained):
    (tmp_path / "mine.yaml").write_text("extends: sr-ste\nname: mine\ndense: {names: ['*']}\n")
    done = run("assign", "dense", "--recipe", "mine.yaml", "--ratios", "2:8")
    assert done.err.startswith("ratios: got 2:8, at which mine keeps all of mlp-digits dense")
    (tmp_path / "mine.yaml").write_text("extends: sr-ste\nname: mine\n")
    asked = ("assign", "dense", "--recipe", "mine.yaml", "--ratios", "1:8,2:8,4:8", "--proxy", "sensitivity")
    done = run(*asked, "--out", "found/other.yaml")
    assert (done.code, done.err) == (0, "")
    assert "loss rise, FF" in done.out
    assert 'extends: "../mine.yaml"' in (tmp_path / "found" / "other.yaml").read_text()
    assert run("simulate", "dense/graph.json", "--recipe", "found/other.yaml", "--json").code == 0


def test_the_step_found_is_the_fastest_within_the_budget_though_its_layers_sum_to_more(run, tmp_path):
    """At batch 32 updates beside the backward pass are not in the sums; every choice is simulated to know."""
    asked = ("train", "--model", "mlp", "--data", "digits", "--recipe", "dense", "--epochs", 2, "--batch", 32)
    assert run(*asked, "--out", "dense").code == 0
    document = run("assign", "dense", "--ratios", "1:8,2:8,4:8", "--like", "2:8", "--json").document
    ratios = [Pattern.parse(each) for each in ("1:8", "2:8", "4:8")]
    asked = Assigner(
        simulator=Simulator(
            workload=load_workload(tmp_path / "dense" / "graph.json"),
            hardware=load_hardware("sat-vcu1525"),
            options=Options(optimizer=document["optimizer"]),
            version="test",
        ),
        recipe=load_recipe("bdwp"),
        ratios=tuple(ratios),
    )
    budget = purses(asked.choices, load_layer_costs(tmp_path / "dense"), "magnitude", like=ratios[1], keep=None)[0]
    least = min(
        asked.simulator.step(asked._with(chosen), ratios[0]).total_cycles
        for patterns in itertools.product(*asked.choices.values())
        if budget.keeps(chosen := dict(zip(asked.choices, patterns, strict=True)))
    )
    assert document["assigned"]["total_cycles"] == least
    assert document["bound_cycles"] <= document["predicted_cycles"]


def test_the_recipe_found_trains_alike_whatever_ratio_is_asked_for_beside_it(run, trained):
    """The classifier's 10 outputs are dense in BP at 2:8, and would be pruned at 1:2."""
    assert run("assign", "dense", "--ratios", "2:8,4:8", "--out", "mine.yaml").code == 0
    asked = (*trained, "--recipe", "mine.yaml", "--json")
    at = [run(*asked, "--sparsity", each, "--out", each.replace(":", "-")).document for each in ("1:2", "2:8")]
    assert at[0]["patterns"] == at[1]["patterns"]
    assert at[0]["weights_sha256"] == at[1]["weights_sha256"]


def test_a_run_trained_anew_is_measured_anew(run, tmp_path, trained):
    first = run("assign", "dense", "--json").document
    for left in (tmp_path / "dense").iterdir():
        if left.name != "layers.csv":
            left.unlink()
    assert run(*trained, "--recipe", "dense", "--seed", 7, "--out", "dense").code == 0
    again = run("assign", "dense", "--json").document
    assert again["inputs"]["layer_costs"] != first["inputs"]["layer_costs"]
    kept = [
        [layer["kept_magnitude"] for layer in each["layers"] if layer["sparsity"] != "dense"] for each in (first, again)
    ]
    assert kept[0] != kept[1]


def test_the_file_that_the_recipe_is_made_of_is_not_written_over(run, tmp_path, trained):
    (tmp_path / "base.yaml").write_text("extends: sr-ste\nname: base\n")
    (tmp_path / "mine.yaml").write_text("extends: base.yaml\nname: mine\n")
    for out in ("mine.yaml", "base.yaml", "dense/../base.yaml"):
        done = run("assign", "dense", "--recipe", "mine.yaml", "--out", out)
        assert (done.code, done.err) == (2, f"--out: got {out}, of which mine is made, need another file\n"), out
    assert (tmp_path / "base.yaml").read_text().startswith("extends: sr-ste")


def test_a_ratio_that_like_adds_to_the_choices_is_said(run, trained):
    done = run("assign", "dense", "--ratios", "1:8", "--like", "4:8")
    assert (done.code, done.err) == (0, "--like: 4:8 is not among --ratios, and is chosen from, too\n")
    assert "Chosen from 1:8, 4:8." in " ".join(done.out.split())
    assert run("assign", "dense", "--ratios", "1:8,4:8", "--like", "4:8").err == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--proxy", "taste"), "--proxy: got 'taste', need one of magnitude, sensitivity"),
        (("--like", "2:8", "--keep", "0.5"), "--like, --keep: got both, need one of them"),
        (("--keep", "1.5"), "--keep: got 1.5 with --proxy magnitude, need a share from 0 to 1"),
        (("--recipe", "sdgp"), "recipe: got sdgp, need one that keeps the N largest weights"),
        (("--ratios", "3:8"), "ratios: got 3:8, need those that sat-vcu1525 has"),
        ((), "nothing: got no readable summary.json, need the directory of a finished run"),
    ],
)
def test_a_mistake_is_one_line(run, tmp_path, words, message):
    from bisparse.training.graph_file import save_graph

    import bisparse

    (tmp_path / "nothing").mkdir()
    save_graph(bisparse.api.load_workload("resnet9-cifar10").graph, tmp_path / "nothing" / "graph.json")
    done = run("assign", "nothing", *words)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith(message)
