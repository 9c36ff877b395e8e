"""A slice of the campaign (all of it: ``python -m tests.hostile``), and that it would see what it looks for."""

import shutil
import time
from random import Random

import pytest

from . import running, words
from .cases import Case
from .corpus import make_corpus
from .oracle import FINE, judged
from .running import Outcome, run
from .table import as_markdown, failures
from .targets import PLAIN, damage
from .worker import Campaign

SLICE = 200


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile") / "corpus"
    make_corpus(folder, with_torch=False, cheap=True)
    return folder


def test_a_slice_of_the_campaign_fails_nowhere(corpus):
    results = []
    Campaign(seed=7, corpus=corpus, with_torch=False, cheap=True).all(range(SLICE), results.append)
    assert len(results) == SLICE
    assert failures(results) == ""
    assert {"refused", "accepted"} <= {each["verdict"] for each in results}


def test_whole_files_are_read_by_every_command_that_is_given_damaged_ones(corpus):
    for target in PLAIN:
        if target.cheap:
            for command in (*target.commands, *([target.shows] if target.shows else [])):
                assert run(command, corpus / target.folder).code == 0, command


def test_the_damaged_timings_are_those_that_the_design_names(corpus, tmp_path):
    """A file that nobody reads is accepted whatever is in it, and its cases say nothing."""
    shutil.copytree(corpus / "plain", tmp_path / "case")
    for name, read_by in (("timing.yaml", "timed.yaml"), ("energy.yaml", "small.yaml"), ("design.yaml", "small.yaml")):
        file = tmp_path / "case" / name
        whole = file.read_bytes()
        file.write_text("{[")
        assert run(("simulate", "mlp.json", "--hardware", read_by, "--json"), tmp_path / "case").code == 2, name
        file.write_bytes(whole)


def test_every_command_has_a_command_line_to_start_from():
    assert {name for name, _ in words.commands()} == words.STARTS.keys()


def case(**others):
    return Case(
        number=0, kind="recipe", how="number", argv=["recipes", "show", "a.yaml", "--json"], file="a.yaml", **others
    )


def outcome(code=2, out="", err="", error=""):
    return Outcome(code=code, out=out, err=err, error=error, seconds=0.1)


@pytest.mark.parametrize(
    ("ended", "verdict"),
    [
        (outcome(err="a.yaml:3: n: got 1, need 2\n"), "refused"),
        (outcome(err="n: got 1, need 2\n"), "message"),
        (outcome(err="a.yaml: that is wrong\n"), "message"),
        (outcome(err="a.yaml: got 1, need 2\n" * 13), "message"),
        (outcome(), "message"),
        (outcome(err="Traceback (most recent call last):\n"), "traceback or warning"),
        (outcome(err="a.yaml: got \x1b[2J, need 2\n"), "control characters"),
        (outcome(code=1, err="a.yaml: got 1, need 2\n"), "exit code"),
        (outcome(code=None, error="Traceback ...\nKeyError: 'a'\n"), "exception"),
        (outcome(code=None, error="Traceback ...\nMemoryError\n"), "memory"),
        (outcome(err="memory: got none left, need more of it\n"), "memory"),
        (outcome(code=None, error="OutOfTime: here"), "out of time"),
        (outcome(code=0, out='{"total_cycles": 3}'), "accepted"),
        (outcome(code=0, out='{"total_cycles": -3}'), "figures"),
        (outcome(code=0, out='{"share": NaN}'), "figures"),
        (
            outcome(
                code=0, out='{"total_cycles": 3, "by_stage": {"FF": 2}, "energy_joules": 1, "energy_by_component": {}}'
            ),
            "figures",
        ),
    ],
)
def test_the_oracle_sees(ended, verdict, tmp_path):
    assert judged(case(), ended, tmp_path)[0] == verdict


def test_help_is_no_document(tmp_path):
    asked = Case(number=0, kind="options of gemm", how="strange words", argv=["gemm", "8x8x8", "--json", "--help"])
    assert judged(asked, outcome(code=0, out="Usage: bisparse gemm\n"), tmp_path)[0] == "accepted"


def test_files_left_beside_are_seen(tmp_path):
    (tmp_path / ".result.json.12345678.part.json").write_text("{")
    assert judged(case(), outcome(code=0), tmp_path)[0] == "left behind"


def test_a_case_that_hangs_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "main", lambda words: time.sleep(60))
    late = run(["x"], tmp_path, seconds=0.05)
    assert (late.code, late.error[:9]) == (None, "OutOfTime")


def test_the_same_case_is_the_same_every_time(corpus):
    for target in (each for each in PLAIN if each.cheap):
        content = (corpus / "plain" / target.file).read_bytes()
        one, other = (damage(Random(f"{target.kind}"), target, content) for _ in range(2))
        assert one[:2] == other[:2]


def test_the_table_counts_every_case_once():
    results = [
        {
            "number": number,
            "kind": "recipe",
            "how": "number",
            "verdict": verdict,
            "seconds": 0.1,
            "argv": [],
            "fault": "x",
        }
        for number, verdict in enumerate((*FINE, "exception"))
    ]
    assert "| recipe | 4 | 1 | 1 | 1 | 1 | 0.1 s |" in as_markdown(results)
    assert failures(results).strip().startswith("1 exception: x")
