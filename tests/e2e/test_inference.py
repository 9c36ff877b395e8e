"""The forward pass alone, through the command line: figures, words, schedules, sweeps."""

import html
import re

import pytest
import yaml

SMALL = ("simulate", "resnet9-cifar10", "--batch", 16, "--pass", "inference")
OF_TRAINING = re.compile(
    r"\btrain|backward|gradient|\bBP\b|\bWU\b|optimi[sz]er state|master weight|label", re.IGNORECASE
)


@pytest.mark.parametrize("engine", ["analytic", "event"])
def test_it_is_of_forward_products_and_vector_work(run, engine):
    document = run(*SMALL, "--engine", engine, "--json").document
    assert document["inference"] is True
    assert {stage for stage, cycles in document["by_stage"].items() if cycles} <= {"FF", "vector"}
    assert sum(document["by_stage"].values()) == document["total_cycles"]
    assert {row["stage"] for row in document["operators"]} == {"FF"}
    assert document["speedup_vs_dense"] > 1


def test_both_engines_agree(run):
    analytic, event = (run(*SMALL, "--engine", engine, "--json").document for engine in ("analytic", "event"))
    assert analytic["total_cycles"] == pytest.approx(event["total_cycles"], rel=0.01)


def test_its_products_are_those_of_the_training_step(run):
    def forward(*arguments):
        rows = run(*arguments, "--json").document["operators"]
        return {row["name"]: row["useful_macs"] for row in rows if row["stage"] == "FF" and row["engine"] == "tensor"}

    assert forward(*SMALL) == forward("simulate", "resnet9-cifar10", "--batch", 16)


def test_it_says_nothing_of_training(run, tmp_path):
    said = run(*SMALL, "--out", "run").out
    assert "runs inference of resnet9-cifar10 at batch 16" in said
    words = (tmp_path / "run" / "report.html").read_text()
    words = re.sub(r"<(script|style).*?</\1>", " ", words, flags=re.DOTALL)
    markdown = (tmp_path / "run" / "report.md").read_text()
    for text in (said, markdown, html.unescape(re.sub(r"<[^>]+>", "\n", words))):
        # What the design calls itself, and which operators it does in its write-backs, is its file's word.
        own = [line for line in text.splitlines() if "reference design" not in line and "relu_backward" not in line]
        assert [line for line in own if OF_TRAINING.search(line)] == []


def test_it_rests_on_no_parameter_of_training(run):
    def parameters(*arguments):
        return {each["parameter"] for each in run(*arguments, "--json").document["assumptions"]}

    inference, training = parameters(*SMALL), parameters("simulate", "resnet9-cifar10", "--batch", 16)
    assert inference < training
    assert "hardware.vector_engine.operations.gelu_backward.cycles_per_element" in training - inference
    assert "hardware.tensor_engine.rows" in inference


def test_a_schedule_of_one_pass_is_none_of_the_other(run):
    assert run(*SMALL, "--save-schedule", "s.json").code == 0
    assert run(*SMALL, "--schedule", "s.json").code == 0
    # The pass is taken from the file where nothing is said.
    assert "runs inference" in run("simulate", "resnet9-cifar10", "--schedule", "s.json").out
    refused = run(*SMALL[:-1], "training", "--schedule", "s.json")
    assert refused.code == 2
    assert "pass_: got a schedule made for inference, need one for training" in refused.err


def test_a_whole_training_run_is_none_of_its(run):
    refused = run(*SMALL, "--training-steps", 100)
    assert (refused.code, refused.err.strip()) == (
        2,
        "training_steps: got it of an inference, need a training step; try without one of them",
    )


def test_a_sweep_over_both_is_what_each_is_alone(run, tmp_path):
    pytest.importorskip("simpleeval")
    base = {"hardware": "sat-vcu1525", "workload": "resnet9-cifar10", "recipe": "bdwp", "sparsity": "2:8", "batch": 16}
    sweep = {
        "name": "passes",
        "base": base,
        "axes": {"options.pass_": ["training", "inference"], "hardware.tensor_engine.rows": [16, 32]},
        "objectives": [{"minimise": "total_cycles"}],
    }
    (tmp_path / "passes.yaml").write_text(yaml.safe_dump(sweep, sort_keys=False))
    assert run("explore", "passes.yaml", "--out", "study", "--jobs", 1).code == 0
    import pandas

    table = pandas.read_csv(tmp_path / "study" / "designs.csv")
    at_32 = table[table["hardware.tensor_engine.rows"] == 32].set_index("options.pass_")["total_cycles"]
    assert at_32["inference"] == run(*SMALL, "--json").document["total_cycles"]
    assert at_32["training"] == run("simulate", "resnet9-cifar10", "--batch", 16, "--json").document["total_cycles"]


def test_a_graph_of_one_batch_is_simulated_at_that_batch_alone(run, tmp_path):
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.f = nn.Linear(64, 32)\n"
        "    def forward(self, a, b):\n        return self.f(a) @ self.f(b).T\n"
    )
    captured = run("capture", "net.py:Net", "--input", 64, "--input", 64, "--batch", 8, "--fixed-batch", "--no-cache")
    assert "Net: a training step at batch 8 alone" in captured.out
    said = run("simulate", "Net.json").out
    assert "at batch 8" in said
    assert "largest batch" not in said
    assert run("simulate", "Net.json", "--batch", 8).code == 0
    refused = run("simulate", "Net.json", "--batch", 16)
    assert refused.code == 2
    assert "batch: got 16, need 8: Net was captured at that batch alone" in refused.err
