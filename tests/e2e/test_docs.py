"""What README and docs tell to type works: every command is parsed, every cheap one and every Python block is run.

A comment before a block says why it is not run as the rest is, and is counted: ``run smaller`` (the same command on
less work, see ``smaller``), ``only parsed`` (its commands are read to the last option), ``only read`` (nothing is
looked at), ``needs torch`` (run where torch is). Blocks of a page share an empty folder and, in Python, their names; a
block with a title is the file of that name.
"""

import contextlib
import importlib.util
import io
import json
import re
import shlex
from collections import Counter
from pathlib import Path

import pytest
import typer
from typer.main import get_command

import bisparse
from bisparse.command_line import app

from . import smaller

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    file
    for file in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
    if file.relative_to(ROOT).parts[:2] not in (("docs", "notebooks"), ("docs", "sat-design-space"))
)
NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))
COMMENT = r"(?:<!-- (?P<mark>only parsed|only read|run smaller|needs torch|test command)(?:: (?P<why>[^>]+?))? -->\n)?"
BLOCK = re.compile(
    rf"^{COMMENT}```(?P<kind>sh|python|yaml)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```$", re.M | re.S
)


def blocks(page):
    return list(BLOCK.finditer(page.read_text(encoding="utf-8")))


def commands(text):
    lines = text.replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.strip() and not line.startswith("#")]


def name(page):
    return page.relative_to(ROOT).as_posix()


def parse(words):
    """As the command line reads it, to the last option; nothing is run and no file is looked for."""
    command, path = get_command(app), "bisparse"
    context = command.make_context(path, list(words[1:]), resilient_parsing=False)
    rest = list(words[1:])
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
        path = f"{path} {command.name}"
        context = command.make_context(path, list(rest), parent=context)
    return context


def test_every_block_that_is_not_run_says_why():
    marks = Counter(block["mark"] for page in PAGES for block in blocks(page) if block["mark"])
    mute = [
        (name(page), block["text"][:60])
        for page in PAGES
        for block in blocks(page)
        if block["mark"] in ("run smaller", "only parsed", "only read") and not block["why"]
    ]
    assert mute == []
    assert dict(marks) == MARKED


MARKED = {"run smaller": 31, "only parsed": 11, "only read": 7, "needs torch": 14, "test command": 1}
"""How many blocks are not run as the rest is; who marks another one says so here."""


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_is_one_that_the_program_reads(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for block in blocks(page):
        if block["mark"] in ("only read", "test command") or block["kind"] == "yaml":
            continue
        if block["kind"] == "python":
            compile(block["text"], name(page), "exec")
            continue
        for words in commands(block["text"]):
            assert words[0] in ("bisparse", "python"), words
            if words[0] == "python" and words[1] != "-m":
                assert (ROOT / words[1]).is_file(), words
            elif words[0] == "bisparse":
                with contextlib.suppress(typer.Exit):
                    parse(words)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_what_a_page_tells_to_type_works(page, run, tmp_path):
    names = {}
    for block in blocks(page):
        text = block["text"]
        if block["mark"] in ("run smaller", "only parsed", "only read", "test command"):
            continue
        if block["mark"] == "needs torch" and not importlib.util.find_spec("torch"):
            continue
        if block["title"]:
            (tmp_path / block["title"]).write_text(text, encoding="utf-8")
        elif block["kind"] == "python":
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(text, name(page), "exec"), names)
        elif block["kind"] == "sh":
            for words in commands(text):
                done = run(*words[1:])
                assert done.code == 0, (words, done.err)


MADE_SMALLER = [page for page in PAGES if any(block["mark"] == "run smaller" for block in blocks(page))]


@pytest.mark.parametrize("page", MADE_SMALLER, ids=name)
def test_what_takes_long_works_on_less(page, run, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr("bisparse.training.loop.study.WorkerPool", smaller.InThisProcess)
    smaller.lay_out(tmp_path, run)
    names = {"bisparse": bisparse}
    for block in blocks(page):
        text = block["text"]
        if block["title"]:
            (tmp_path / block["title"]).write_text(text, encoding="utf-8")
        elif block["mark"] == "run smaller" and block["kind"] == "python":
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(smaller.smaller_text(text), name(page), "exec"), names)
        elif block["mark"] == "run smaller":
            for words in commands(text):
                asked = smaller.smaller(words, tmp_path)
                if asked is not None:
                    done = run(*asked[1:])
                    assert done.code == 0, (asked, done.err)


def test_what_is_run_smaller_elsewhere_is_run_there():
    for word, file in smaller.ELSEWHERE.items():
        assert word.strip("-") in (ROOT / "tests" / file).read_text(encoding="utf-8"), (word, file)


def test_the_figures_of_the_tutorial_are_those_that_it_leads_to(run, tmp_path):
    pytest.importorskip("torch")
    page = ROOT / "docs" / "tutorial.md"
    (network,) = [block["text"] for block in blocks(page) if block["title"] == "mynet.py"]
    (tmp_path / "mynet.py").write_text(network, encoding="utf-8")
    run("capture", "mynet.py:build", "--input", "3x32x32", "--batch", 256, "--out", "mynet.json")
    told = run("simulate", "mynet.json", "--json").document
    (said,) = re.findall(r"([\d.]+)x as fast as dense under BDWP 2:8, at\s+([\d.]+)x", page.read_text(encoding="utf-8"))
    assert said == (f"{told['speedup_vs_dense']:.2f}", f"{told['energy_ratio_vs_dense']:.2f}")


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=name)
def test_a_notebook_is_kept_without_what_it_printed(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) >= 2
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


def test_the_reference_pages_are_as_the_program_has_it():
    specification = importlib.util.spec_from_file_location("make_reference", ROOT / "docs" / "make_reference.py")
    maker = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(maker)
    stale = [page for page in maker.PAGES if maker.text_of(maker.FOLDER / page) != maker.PAGES[page]()]
    assert stale == [], "run python docs/make_reference.py"
