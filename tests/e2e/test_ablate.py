"""``bisparse ablate`` as a user meets it."""

import pytest
from bisparse.sim.studies.ablation.ablation import Ablation

SMALL = ("ablate", "resnet9-cifar10", "--batch", 16)


def test_ablate_prints_the_table_and_the_picture_and_writes_a_run(run, tmp_path):
    done = run(*SMALL, "--out", "runs/one")
    assert (done.code, done.err) == (0, "")
    assert "with every optimisation on" in " ".join(done.out.split())
    assert "one on, the others off" in done.out
    assert "# array busy" in done.out
    assert "\x1b" not in done.out, "no colours in a pipe"
    assert max(map(len, done.out.splitlines())) <= 80
    assert done.out.rstrip().endswith("report: runs/one/ablation.html")
    directory = tmp_path / "runs" / "one"
    for name in ("ablation.json", "ablation.csv", "ablation.html", "ablation.md"):
        assert (directory / name).stat().st_size > 0, name
    assert (directory / "ablation-command.txt").read_text() == (
        "bisparse ablate resnet9-cifar10 --batch 16 --out runs/one\n"
    )


def test_ablate_as_json_is_one_document_of_what_simulate_says_twice(run):
    document = run(*SMALL, "--json", "--out", "run").document
    assert (document["schema_version"], document["kind"], document["batch"]) == (1, "ablation", 16)
    ablation = Ablation.from_document(document)
    plain = run("simulate", "resnet9-cifar10", "--batch", 16, "--json").document
    assert ablation.all_on.figures.total_cycles == plain["total_cycles"]
    switched_off = ("--no-pre-generation", "--no-overlap-update", "--no-interleave")
    off = run("simulate", "resnet9-cifar10", "--batch", 16, *switched_off, "--json").document
    (choice,) = ablation.of("alone", "dataflow_choice")
    assert choice.figures.total_cycles == off["total_cycles"]
    assert choice.figures.dense_cycles == off["dense"]["total_cycles"]


def test_options_reach_the_ablation(run):
    document = run(
        *SMALL, "--hardware", "edge-16x16", "--recipe", "sr-ste", "--sparsity", "2:4", "--optimizer", "adam",
        "--objective", "energy", "--json",
    ).document  # fmt: skip
    assert [document["inputs"][name]["name"] for name in ("hardware", "recipe")] == ["edge-16x16", "sr-ste"]
    assert (document["sparsity"], document["optimizer"], document["objective"]) == ("2:4", "adam", "energy")


def test_a_report_of_an_ablation_is_rendered_again_and_beside_a_run_both_are(run, tmp_path):
    run(*SMALL, "--out", "run")
    page = tmp_path / "run" / "ablation.html"
    before = page.read_bytes()
    page.unlink()
    done = run("report", "run")
    assert (done.code, done.out) == (0, "report: run/ablation.html\n")
    assert page.read_bytes() == before
    run("simulate", "resnet9-cifar10", "--batch", 16, "--out", "run")
    assert run("report", "run").out == "report: run/report.html\nreport: run/ablation.html\n"
    assert page.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--sparsity", "3:7"), "sparsity: got 3:7, need one that sat-vcu1525 has"),
        (("--objective", "speed"), "objective: got 'speed', need one of time, energy, energy-delay"),
        (("--recipe", "none.yaml"), "none.yaml: got no such file"),
        (("--no-interleave",), "--no-interleave: got no option of this name, need one of bisparse ablate"),
    ],
)
def test_a_mistake_is_one_line(run, words, message):
    done = run(*SMALL, *words)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert done.err.count("\n") == 1
