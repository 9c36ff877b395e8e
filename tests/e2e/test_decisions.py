"""What a decision needs: runs of several designs and batches side by side, the range of an answer, what would help."""

import json

import pytest
from bisparse.accel.specification import load_hardware

SMALL = "resnet9-cifar10"


def test_compare_takes_several_of_everything(run, tmp_path):
    words = ("--hardware", "sat-vcu1525,edge-16x16", "--recipes", "dense, bdwp", "--sparsity", "2:4,2:8")
    done = run("compare", SMALL, *words, "--batch", "2,4", "--out", "made")
    assert done.code == 0, done.err
    results = json.loads((tmp_path / "made" / "result.json").read_text())["results"]
    found = [(each["inputs"]["hardware"]["name"], each["batch"], each["sparsity"]) for each in results]
    assert found == [
        (design, batch, ratio)
        for design in ("sat-vcu1525", "edge-16x16")
        for batch in (2, 4)
        for ratio in ("dense", "2:4", "2:8")
    ]
    alone = run("simulate", SMALL, "--hardware", "edge-16x16", "--batch", 4, "--sparsity", "2:8", "--json").document
    assert results[-1]["total_cycles"] == alone["total_cycles"]
    quickest = min(results, key=lambda each: each["step_seconds"] / each["batch"])
    name = f"{quickest['inputs']['recipe']['name']} {quickest['sparsity']}, {quickest['inputs']['hardware']['name']}"
    assert f"Of 12 runs {name}, batch {quickest['batch']} takes the least time a sample" in " ".join(done.out.split())
    page = (tmp_path / "made" / "report.html").read_text()
    assert "Where the time of each run goes" in page


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--hardware", "sat-vcu1525,"), "--hardware: got 'sat-vcu1525,', need a value on both sides of a comma"),
        (("--batch", "4,x"), "--batch: got 'x'"),
        (("--batch", "0"), "--batch: got 0, need at least 1"),
        (("--sparsity", "2:8,9"), "got '9'"),
    ],
)
def test_a_mistake_in_a_list_is_a_line(run, words, message):
    done = run("compare", SMALL, *words)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1


def test_dense_has_no_answer_to_range(run):
    done = run("simulate", SMALL, "--recipe", "dense", "--range")
    assert (done.code, done.out) == (2, "")
    assert "--range: got it with dense, which prunes nothing" in done.err


@pytest.fixture
def one_range(tmp_path):
    """A design that leaves open its vector lanes alone, for the sake of time; its prices are open too."""
    design = load_hardware("sat-vcu1525").model.model_dump(mode="json")
    lanes = {"value": 32, "status": "assumed", "source": "a test", "range": [16, 64]}
    data = design | {"name": "open", "vector_engine": design["vector_engine"] | {"lanes": lanes}}
    path = tmp_path / "open.yaml"
    path.write_text(json.dumps(data))
    return path


def test_an_answer_has_a_range_and_a_verdict(run, one_range, tmp_path):
    words = ("simulate", SMALL, "--batch", 2, "--hardware", one_range)
    done = run(*words, "--range", "--what-if", "--out", "made")
    assert done.code == 0, done.err
    told = " ".join(done.out.split())
    result = json.loads((tmp_path / "made" / "result.json").read_text())
    low, high = (result["range"]["speedup"][end] for end in ("low", "high"))
    assert low < result["speedup_vs_dense"] < high
    assert f"the speedup is {low:.2f}x to {high:.2f}x" in told
    assert "What moves it most: vector_engine.lanes (16 to 64)" in told
    assert "Nine in ten of 72 designs drawn" in told
    assert "The step is bound by" in told
    assert f"{result['what_if'][0]['change']}: {result['what_if'][0]['gain']:.2f}x as fast" in told
    assert {swing["parameter"] for swing in result["range"]["swings"]} >= {"hardware.vector_engine.lanes"}
    again = run("report", "made")
    assert again.code == 0, again.err
    page = (tmp_path / "made" / "report.html").read_text()
    for heading in ("How far the answer moves", "What would help"):
        assert heading in page
    markdown = (tmp_path / "made" / "report.md").read_text()
    assert "| vector\\_engine.lanes | 32 | 16 to 64 |" in markdown
    assert "range" not in run(*words, "--json").document
