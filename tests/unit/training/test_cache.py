"""The cache of captured graphs: what makes an entry count, and what makes it stale."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from bisparse.configs.cache_folder import cache_folder
from bisparse.training.capture import GraphCache, capture_path
from bisparse.training.capture_request import CaptureRequest
from bisparse.training.input_shape import InputShape

SOURCE = "import torch\ndef net():\n    return torch.nn.Sequential(torch.nn.Linear(6, 4){after})\n"


@pytest.fixture
def project(tmp_path, monkeypatch, request):
    """A user's module, a cache, and a way to capture through it that says how often a step really ran."""
    name = f"cached_model_{abs(hash(request.node.name))}"
    file = tmp_path / f"{name}.py"
    file.write_text(SOURCE.format(after=""))
    runs = []

    from bisparse.training.capture import module_capture

    real = module_capture.record_step
    monkeypatch.setattr(
        module_capture, "record_step", lambda *args, **options: runs.append(1) or real(*args, **options)
    )
    cache = GraphCache(tmp_path / "cache")

    def captured(**changes):
        sys.modules.pop(name, None)
        importlib.invalidate_caches()
        options = {"name": "net", "default_batch": 8, "source": "s", "search_path": tmp_path, "cache": cache}
        runs.clear()
        graph = capture_path(f"{name}:net", changes.pop("inputs", [InputShape((6,))]), **(options | changes))
        return graph, bool(runs)

    return file, cache, captured


def test_the_second_capture_is_read_back(project):
    _, _, captured = project
    first, ran = captured()
    again, ran_again = captured()
    assert (ran, ran_again) == (True, False)
    assert again == first


def test_an_edited_source_is_captured_again_even_when_the_module_prints_the_same(project):
    file, _, captured = project
    captured()
    file.write_text(SOURCE.format(after="") + "# the forward pass of some layer may have changed here\n")
    assert captured()[1]


def test_an_edited_network_is_another_entry(project):
    file, _, captured = project
    captured()
    file.write_text(SOURCE.format(after=", torch.nn.ReLU()"))
    graph, ran = captured()
    assert ran
    assert any(operator.kind == "relu" for operator in graph.operators)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"default_batch": 16},
        {"request": CaptureRequest(loss="mean")},
        {"request": CaptureRequest(fixed_batch=True)},
        {"inputs": [InputShape((5, 6))]},
        {"source": "t"},
    ],
)
def test_asking_for_something_else_is_another_entry(project, change):
    _, _, captured = project
    captured()
    assert captured(**change)[1]


@pytest.mark.parametrize("content", ["{", "[" * 5000 + "]" * 5000, "[1]", "\x00"], ids=["cut", "deep", "list", "NUL"])
def test_a_damaged_entry_is_captured_again(project, content):
    _, cache, captured = project
    captured()
    for file in cache.folder.iterdir():
        file.write_text(content)
    assert captured()[1]


def test_a_folder_that_cannot_be_made_is_no_error(project):
    file, _, captured = project
    assert captured(cache=GraphCache(file / "below a file"))[1]


def test_the_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("BISPARSE_CACHE", str(tmp_path))
    assert cache_folder("graphs") == tmp_path / "graphs"
    monkeypatch.delenv("BISPARSE_CACHE")
    assert cache_folder("graphs").parts[-2:] == ("bisparse", "graphs")


def test_a_user_without_a_home_has_no_cache(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    for name in ("BISPARSE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    cache = GraphCache()
    assert cache_folder("graphs") is None
    cache.put("key", None)
    assert cache.get("key") is None
