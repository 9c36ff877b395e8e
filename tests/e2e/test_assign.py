"""``bisparse assign``: from a dense run to a recipe that simulates and trains."""

import pytest

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
