import subprocess
import sys
from pathlib import Path

import pytest
from bisparse.configs import library
from bisparse.configs.errors import ConfigError


def refusal(kind: str, name: str | Path) -> str:
    with pytest.raises(ConfigError) as caught:
        library.find(kind, name)
    return str(caught.value)


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    monkeypatch.setattr(library, "_ROOT", tmp_path)
    (tmp_path / "hardware").mkdir()
    for name in ["alpha.yaml", "beta-1.5.yaml", "gamma.json.gz", "notes.txt"]:
        (tmp_path / "hardware" / name).touch()
    return tmp_path


def test_names_leave_out_the_data_suffix_only(shipped):
    assert library.names("hardware") == ["alpha", "beta-1.5", "gamma"]
    assert library.names("recipes") == []


def test_a_name_finds_its_file(shipped):
    assert library.find("hardware", "beta-1.5") == shipped / "hardware" / "beta-1.5.yaml"


def test_a_path_finds_the_users_file_and_never_a_shipped_one(shipped, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("alpha.yaml").touch()
    assert library.find("hardware", "alpha.yaml") == Path("alpha.yaml")
    assert library.find("hardware", "./alpha.yaml") == Path("alpha.yaml")


def test_an_unknown_name_lists_the_known_and_tries_the_nearest(shipped):
    assert refusal("hardware", "alpa") == (
        "hardware: got 'alpa', need one of alpha, beta-1.5, gamma or a path to a file; try alpha"
    )
    assert refusal("hardware", "zzz") == "hardware: got 'zzz', need one of alpha, beta-1.5, gamma or a path to a file"
    assert refusal("recipes", "zzz") == "recipes: got 'zzz', need a path to a file"


def test_a_missing_file_says_so_and_tries_a_shipped_one(shipped):
    assert refusal("hardware", "no/such.yaml") == ("no/such.yaml: got no such file, need a path to a file of hardware")
    assert refusal("hardware", "no/alpha.yaml") == (
        "no/alpha.yaml: got no such file, need a path to a file of hardware; try alpha, which is shipped"
    )
    assert refusal("hardware", shipped) == f"{shipped}: got a folder, need a path to a file of hardware"


def test_an_unknown_kind():
    assert refusal("software", "x") == (
        "kind: got 'software', need one of hardware, workloads, recipes, sweeps, claims, methods, energy, dram, "
        "currents, parts, operators, area, peers"
    )


def test_the_hash_is_of_content_not_of_layout():
    assert library.content_hash("abc") == library.content_hash(b"abc")
    assert library.content_hash(b"abc").startswith("ba7816bf")
    assert library.content_hash({"a": 1, "b": [1, 2]}) == library.content_hash({"b": [1, 2], "a": 1})
    assert library.content_hash({"a": [1, 2]}) != library.content_hash({"a": [2, 1]})


def test_errors_and_patterns_cost_neither_pydantic_nor_yaml():
    code = (
        "import sys, bisparse.configs.errors, bisparse.configs.pattern; print({'yaml', 'pydantic'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
