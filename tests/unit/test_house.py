"""What CONTRIBUTING.md and pyproject.toml say of the tree is so, and every room keeps to the house's sizes."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
from bisparse.configs import library

ROOT = Path(__file__).parents[2]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]

ROOMS = sorted(SETUPTOOLS["package-dir"].values())
MODULES = sorted(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))

LONGEST_FILE = 400
LONGEST_GUIDE = 64

LONGER: frozenset[str] = frozenset()
"""Files of the rooms that may be longer, each with its reason beside it."""

PATH = re.compile(r"`([\w.{},-]+/[\w./{},-]*|[\w-]+\.(?:py|md|toml|txt))`")
NAME_IN_FILE = re.compile(r"`(\w+)` in\s+`([\w./-]+\.py)`")
ROW = re.compile(r"^\| `(\w+)/` \|", re.MULTILINE)


def alternatives(path: str) -> list[str]:
    """``a/{b,c}`` as ``a/b`` and ``a/c``."""
    before, brace, rest = path.partition("{")
    if not brace:
        return [path]
    inner, _, after = rest.partition("}")
    return [f"{before}{each}{after}" for each in inner.split(",")]


def relative(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def test_every_path_that_contributing_names_exists():
    named = {each for path in PATH.findall(CONTRIBUTING) for each in alternatives(path)}
    assert len(named) > 30
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_every_name_that_contributing_puts_in_a_file_stands_there():
    said = NAME_IN_FILE.findall(CONTRIBUTING)
    assert len(said) > 5
    assert [
        (name, file) for name, file in said if not re.search(rf"\b{name}\b", (ROOT / file).read_text(encoding="utf-8"))
    ] == []


def test_contributing_fits_a_screen_and_its_table_has_every_room():
    assert len(CONTRIBUTING.splitlines()) <= LONGEST_GUIDE
    assert sorted(ROW.findall(CONTRIBUTING)) == ROOMS


def test_a_module_imports_torch_only_where_contributing_says():
    (said,) = re.findall(r"torch only in (.*?) \|", CONTRIBUTING)
    allowed = tuple(f"{folder}/" for folder in re.findall(r"`([\w/]+)`", said))
    users = [relative(file) for file in MODULES if re.search(r"^(?:import|from) torch\b", file.read_text(), re.M)]
    assert [file for file in users if not file.startswith(allowed)] == []


def test_the_wheel_takes_every_package():
    folders = {relative(file.parent) for file in MODULES if file.name == "__init__.py"}
    assert {folder for file in MODULES for folder in [relative(file.parent)]} == folders
    places = SETUPTOOLS["package-dir"]
    listed = set()
    for package in SETUPTOOLS["packages"]:
        room = max((known for known in places if f"{package}.".startswith(f"{known}.")), key=len)
        listed.add(places[room] + package.removeprefix(room).replace(".", "/"))
    assert listed == folders


def test_every_kind_of_shipped_file_has_its_folder_and_every_folder_its_kind():
    data = {file.parent.name for file in (ROOT / "configs").glob("*/*") if file.name.endswith(library.SUFFIXES)}
    assert data == set(library.KINDS)


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_says_what_it_is_for(room):
    mute = [
        relative(file)
        for file in MODULES
        if file.is_relative_to(ROOT / room)
        and not (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").strip()
    ]
    assert mute == []


def test_no_file_is_longer_than_a_reader_holds():
    lengths = {relative(file): len(file.read_text(encoding="utf-8").splitlines()) for file in MODULES}
    assert {file for file, lines in lengths.items() if lines > LONGEST_FILE} == LONGER
