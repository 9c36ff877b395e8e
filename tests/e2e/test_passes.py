"""Passes through the command line, Python, reports, comparisons, ablations and sweeps: never silent."""

import html
import re

import pytest
import yaml
from bisparse.configs.errors import ConfigError

import bisparse

SMALL = ("simulate", "resnet9-cifar10", "--batch", 16)
SUBJECT = "resnet9-cifar10 at batch 16 on sat-vcu1525"
ASKED = [
    (
        ("--freeze", "0,1"),
        "bdwp 2:8 fine-tunes resnet9-cifar10 at batch 16 on sat-vcu1525 (1.2% of the weights frozen)",
    ),
    (("--accumulate", 4), f"bdwp 2:8 trains {SUBJECT} (4 micro-batches)"),
    (("--recompute", "3,8"), "of the forward pass computed again)"),
]


def flat(text):
    return " ".join(text.split())


@pytest.mark.parametrize(("words", "said"), ASKED)
def test_every_answer_says_it(run, tmp_path, words, said):
    assert said in flat(run(*SMALL, *words, "--out", "run").out)
    page = html.unescape(re.sub(r"<[^>]+>", " ", (tmp_path / "run" / "report.html").read_text()))
    details = said[said.index("of the forward") :] if "computed again" in said else said[said.rindex("(") :]
    for text in (page, (tmp_path / "run" / "report.md").read_text()):
        # In the title, and in the answer.
        assert flat(text).count(details) >= 2
        assert said in flat(text)
    assert run("report", "run").code == 0


def test_decoding_says_how_long_its_cache_is(run, tmp_path):
    asked = ("gpt2-small", "--batch", 1, "--pass", "decode", "--kv-length", 32)
    said = flat(run("simulate", *asked, "--out", "run").out)
    assert "decodes a token of gpt2-small at batch 1 on sat-vcu1525 (32 tokens in the cache)" in said
    page = (tmp_path / "run" / "report.html").read_text()
    assert "one decoding step, predicted" in page
    assert "keys and values in the cache" in page
    assert run("simulate", *asked, "--json").document["passes"]["kv_cache_bytes"] == 2 * 12 * 33 * 768 * 2


def test_a_comparison_is_of_one_pass(run):
    said = flat(run("compare", "resnet9-cifar10", "--recipes", "dense,bdwp", "--batch", "16", "--freeze", "0").out)
    assert "for resnet9-cifar10 at batch 16 on sat-vcu1525 (under 0.1% of the weights frozen)" in said
    dense, sparse = bisparse.compare("resnet9-cifar10", recipes=["dense", "bdwp"], batch=16, freeze="0")
    assert sparse.speedup_vs_dense == dense.total_cycles / sparse.total_cycles


def test_python_repeats_it(tmp_path):
    result = bisparse.simulate("resnet9-cifar10", batch=16, freeze=["0", "1"], accumulate=2)
    result.report(tmp_path / "run")
    assert "freeze='0,1', accumulate=2)" in (tmp_path / "run" / "report.md").read_text()


def test_a_schedule_brings_its_pass(run):
    assert run(*SMALL, "--freeze", "0,1", "--save-schedule", "s.json").code == 0
    assert "fine-tunes" in run("simulate", "resnet9-cifar10", "--schedule", "s.json").out
    refused = run(*SMALL, "--freeze", "0", "--schedule", "s.json")
    assert (refused.code, "freeze: got a schedule made for 0,1, need one for 0" in refused.err) == (2, True)


def test_an_ablation_is_of_a_training_step_and_says_which():
    answer = bisparse.ablate("resnet9-cifar10", batch=16, freeze="0,1")
    from bisparse.reports.ablation.words import ablation_answer
    from bisparse.sim.studies.ablation.ablation import Ablation

    assert "(1.2% of the weights frozen): with every optimisation on" in ablation_answer(answer)
    assert Ablation.from_document(answer.document()) == answer
    with pytest.raises(ConfigError, match=r"^pass_: got 'inference', need it left out"):
        bisparse.ablate("resnet9-cifar10", batch=16, pass_="inference")


def test_a_whole_training_run_is_of_such_steps():
    run = bisparse.simulate("resnet9-cifar10", batch=16, freeze="0,1", training_steps=10)
    assert run.training.total_cycles == 10 * run.total_cycles


def test_a_sweep_over_passes_is_what_each_is_alone(run, tmp_path):
    pytest.importorskip("simpleeval")
    base = {"hardware": "sat-vcu1525", "workload": "resnet9-cifar10", "recipe": "bdwp", "sparsity": "2:8", "batch": 16}
    sweep = {
        "name": "passes",
        "base": base | {"options": {"recompute": "blocks"}},
        "axes": {"options.freeze": ["", "0,1"], "options.accumulate": [1, 4]},
        "objectives": [{"minimise": "total_cycles"}, {"minimise": "memory.peak_bytes"}],
    }
    (tmp_path / "passes.yaml").write_text(yaml.safe_dump(sweep, sort_keys=False))
    explored = run("explore", "passes.yaml", "--out", "study", "--jobs", 1)
    assert "Every step is one of recompute blocks." in flat(explored.out)
    import pandas

    table = pandas.read_csv(tmp_path / "study" / "designs.csv", keep_default_na=False)
    found = table.set_index(["options.freeze", "options.accumulate"])["total_cycles"].to_dict()
    assert found == {
        (freeze, count): bisparse.simulate(
            "resnet9-cifar10", batch=16, recompute="blocks", freeze=freeze, accumulate=count
        ).total_cycles
        for freeze in ("", "0,1")
        for count in (1, 4)
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--accumulate", 3), "batch: got 16, need a multiple of 3, the micro-batches that a step is cut into"),
        (("--freeze", "stem"), "freeze: got 'stem', need a parameter that learns of resnet9-cifar10"),
        (("--pass", "decode"), "pass_: got decode of resnet9-cifar10, need self-attention over one sequence"),
        (("--pass", "inference", "--freeze", "0"), "freeze: got '0' with pass_ inference, need a training step"),
        (("--kv-length", 5), "kv_length: got 5 with pass_ training, need a step that decodes"),
    ],
)
def test_what_does_not_fit_is_one_line(run, words, message):
    refused = run(*SMALL, *words)
    assert (refused.code, refused.err.startswith(message)) == (2, True)
    assert len(refused.err.strip().splitlines()) == 1
