"""The event engine from the command line: figures, the run's directory, its timeline."""

import gzip
import json
from itertools import pairwise

import pytest

SMALL = "resnet9-cifar10"


def test_the_engines_give_one_document_with_the_same_figures(run):
    analytic, event = (
        run("simulate", SMALL, "--batch", 8, "--engine", engine, "--json").document for engine in ("analytic", "event")
    )
    assert list(analytic) == list(event)
    assert (analytic["engine"], event["engine"]) == ("analytic", "event")
    assert event["profile"] is None, "nobody asked for a directory"
    assert event["total_cycles"] == pytest.approx(analytic["total_cycles"], rel=1e-3)
    assert event["by_scope"]["gemm"]["total_cycles"] == analytic["by_scope"]["gemm"]["total_cycles"]
    for key in ("dram_read_bytes", "dram_write_bytes", "issued_macs", "useful_macs"):
        assert event[key] == analytic[key]
    assert event["energy_joules"] == pytest.approx(analytic["energy_joules"], rel=1e-3)


def test_a_run_has_a_timeline_for_perfetto(run, tmp_path):
    done = run("simulate", SMALL, "--batch", 8, "--engine", "event", "--out", tmp_path)
    assert done.code == 0
    trace = json.loads(gzip.decompress((tmp_path / "timeline.json.gz").read_bytes()))
    tracks = {e["args"]["name"] for e in trace["traceEvents"] if e["ph"] == "M" and e["name"] == "thread_name"}
    queues = {"operators: products", "operators: vector work"}
    engines = {f"{name} engine" for name in ("tensor", "vector", "reduction", "update")}
    assert tracks == queues | engines | {f"DRAM channel {number}" for number in range(4)}
    counters = {e["name"] for e in trace["traceEvents"] if e["ph"] == "C"}
    assert counters == {"buffers, bytes taken by tiles", "DRAM, GB/s"}
    result = json.loads((tmp_path / "result.json").read_text())
    assert trace["otherData"]["total_cycles"] == result["total_cycles"]
    html = (tmp_path / "report.html").read_text()
    assert "The step over time" in html
    assert "timeline.json.gz" in html


@pytest.mark.parametrize("beside", ["--no-overlap-vector", "--overlap-vector"])
def test_slices_of_a_track_never_overlap_and_fill_the_tensor_engine(run, tmp_path, beside):
    run("simulate", SMALL, "--batch", 8, "--engine", "event", beside, "--out", tmp_path)
    trace = json.loads(gzip.decompress((tmp_path / "timeline.json.gz").read_bytes()))
    slices = {}
    for event in trace["traceEvents"]:
        if event["ph"] == "X" and event["cat"] != "share":  # those lie inside of their repetitions
            start, length = event["args"]["start_cycle"], event["args"]["cycles"]
            slices.setdefault(event["tid"], []).append((start, start + length))
    for spans in slices.values():
        spans.sort()
        assert all(one[1] <= two[0] for one, two in pairwise(spans))
    # On the tensor engine's track every cycle is a tile, a wait or repetitions of both.
    assert sum(end - start for start, end in slices[2]) == trace["otherData"]["total_cycles"]
    # Channels and engines are as long busy as the result says, what was counted included.
    busy = json.loads((tmp_path / "result.json").read_text())["by_engine"]
    for track, engine in ((3, "vector"), (4, "reduction"), (5, "update"), (6, "dram"), (9, "dram")):
        assert sum(end - start for start, end in slices.get(track, ())) == busy[engine]


def test_several_runs_have_a_timeline_each_and_pages_can_be_made_again(run, tmp_path):
    run("compare", SMALL, "--batch", 8, "--recipes", "dense,bdwp", "--engine", "event", "--out", tmp_path)
    assert {file.name for file in tmp_path.glob("timeline*")} == {
        "timeline-dense.json.gz",
        "timeline-bdwp-2-8.json.gz",
    }
    before = (tmp_path / "report.html").read_bytes()
    assert run("report", tmp_path).code == 0
    assert (tmp_path / "report.html").read_bytes() == before
    assert (tmp_path / "timeline-dense.json.gz").is_file()


def test_vector_work_beside_products_saves_time_in_both_engines(run):
    def cycles(*options):
        return run("simulate", SMALL, "--batch", 8, "--json", *options).document["total_cycles"]

    for engine in ("analytic", "event"):
        assert cycles("--engine", engine, "--overlap-vector") < cycles("--engine", engine, "--no-overlap-vector")


def test_a_timeline_alone_is_one_option(run, tmp_path):
    words = ("simulate", SMALL, "--batch", 8)
    done = run(*words, "--timeline", "made/why.json.gz")
    assert (done.code, done.err) == (0, "timeline: made/why.json.gz; https://ui.perfetto.dev opens it\n")
    run(*words, "--engine", "event", "--out", "whole")
    alone = (tmp_path / "made" / "why.json.gz").read_bytes()
    assert alone == (tmp_path / "whole" / "timeline.json.gz").read_bytes()
    assert [each.name for each in (tmp_path / "made").iterdir()] == ["why.json.gz"]
    assert run(*words, "--timeline", "why.json", "--engine", "event").code == 0
    assert (tmp_path / "why.json").read_bytes() == gzip.decompress(alone)


def test_a_timeline_of_a_step_that_is_not_played_is_refused(run, tmp_path):
    done = run("simulate", SMALL, "--timeline", "why.json", "--engine", "analytic")
    assert done.code == 2
    assert done.err.startswith("--timeline: got it with --engine analytic, which plays no step")
    assert not (tmp_path / "why.json").exists()
    assert run("simulate", SMALL, "--batch", 8, "--timeline", ".").err.startswith(".: got ")
