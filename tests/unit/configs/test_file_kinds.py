"""What a file looks like, said where it was given for a file of another kind."""

import json

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import ConfigError
from bisparse.configs.file_kinds import looks_like
from bisparse.configs.library import find, names
from bisparse.sim.studies.explore.loading import load_sweep
from bisparse.training.graph_file import load_graph
from bisparse.training.recipes.declaration import load_recipe

TOPOLOGY = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("net.py", "import torch", "Python source"),
        ("net.onnx", b"\x08\x07", "an ONNX network"),
        ("net.pt2", b"PK\x03\x04", "an exported program"),
        ("weights.pt", b"PK\x03\x04", "weights without a network"),
        ("weights", b"PK\x03\x04 and more", "weights without a network"),
        ("model.safetensors", b"\x00", "weights without a network"),
        ("config.json", json.dumps({"model_type": "llama", "hidden_size": 64}), "a Hugging Face configuration"),
        ("layers.csv", TOPOLOGY, "a SCALE-Sim topology or a list of products"),
        ("list.csv", "M, N, K\n1,2,3\n", "a SCALE-Sim topology or a list of products"),
        ("other.csv", "a,b\n1,2\n", "a CSV table"),
        ("scale.cfg", "[general]\n", "a SCALE-Sim configuration"),
        ("mine.yaml", "extends: sat-vcu1525\ntensor_engine: {rows: 8}\n", "a design"),
        ("mine.json", json.dumps({"bisparse_version": "1", "operators": [], "tensors": []}), "a result"),
    ],
)
def test_a_file_is_known_by_its_name_or_its_beginning(tmp_path, name, content, kind):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = looks_like(path)
    assert found is not None
    assert found.name == kind
    with pytest.raises(ConfigError, match=f"got {kind}, need a captured graph; try |got {kind}, need .*; a list"):
        load_graph(path)


@pytest.mark.parametrize("content", ["", "plain text", "{broken", "- a\n- b\n", "name: x\n", "\x00\x01"])
def test_what_tells_nothing_is_nothing(tmp_path, content):
    path = tmp_path / "file.txt"
    path.write_text(content)
    assert looks_like(path) is None
    assert looks_like(tmp_path / "none.txt") is None


@pytest.mark.parametrize("folder", ["hardware", "recipes", "sweeps", "workloads"])
def test_no_shipped_file_is_taken_for_another_kind(folder):
    named = {"hardware": "a design", "recipes": "a recipe", "sweeps": "a sweep", "workloads": "a captured graph"}
    kinds = {looks_like(find(folder, name)) for name in names(folder)}
    assert {kind.name for kind in kinds if kind is not None} == {named[folder]}


def test_each_reader_says_which_command_takes_the_other_kinds():
    sweep, recipe, design = find("sweeps", "sat-quick"), find("recipes", "bdwp"), find("hardware", "edge-16x16")
    with pytest.raises(ConfigError, match=r"got a sweep, need a design; try bisparse explore .*sat-quick\.yaml"):
        load_hardware(str(sweep))
    with pytest.raises(ConfigError, match=r"got a design, need a recipe; try --hardware .*edge-16x16\.yaml"):
        load_recipe(str(design))
    with pytest.raises(ConfigError, match=r"got a recipe, need a sweep; try --recipe .*bdwp\.yaml"):
        load_sweep(str(recipe))


def test_a_word_that_ends_like_a_file_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"net\.py: got no such file, .* Python source; try bisparse capture"):
        find("workloads", "net.py")
    (tmp_path / "net.onnx").write_bytes(b"\x08")
    assert find("workloads", "net.onnx").name == "net.onnx"
