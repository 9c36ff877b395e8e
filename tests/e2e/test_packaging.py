"""What is said of the package beside its code agrees with it, and the main job runs on what simulating needs alone."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from bisparse import __version__

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins(file):
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def floors(requirements):
    return dict(each.split(">=") for each in requirements)


def test_the_lowest_versions_that_ci_tries_are_the_floors():
    lowest = {name.lower(): re.sub(r"\.0$", "", version) for name, version in pins("constraints-lowest.txt").items()}
    assert lowest == {name: re.sub(r"\.0$", "", floor) for name, floor in floors(PROJECT["dependencies"]).items()}


def test_every_extra_but_those_of_libraries_read_by_name_is_pinned():
    pinned = {name.lower() for name in pins("constraints.txt")}
    asked = {
        re.split(r"[>\[]", each)[0].lower()
        for extra, packages in PROJECT["optional-dependencies"].items()
        for each in packages
        if extra != "weights"
    }
    assert asked - pinned == set()


def test_the_citation_is_of_this_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (cited["version"], PROJECT["version"]) == (__version__, __version__)
    assert " AND ".join(cited["license"]) == PROJECT["license"]
    assert PROJECT["urls"]["Paper"] == cited["references"][0]["url"]


def test_the_container_runs_the_command_of_the_readme():
    words = json.loads(re.search(r"^CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.M)[1])
    asked = " ".join(words).replace("/runs/", "runs/")
    assert f"bisparse {asked}\n" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("recipe", ["dense", "bdwp"])
def test_the_main_job_runs(run, recipe, tmp_path):
    done = run("simulate", "resnet9-cifar10", "--batch", 8, "--recipe", recipe, "--out", "first")
    assert done.code == 0
    assert (tmp_path / "first" / "report.html").stat().st_size > 10_000
