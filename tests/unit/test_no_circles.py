"""No module of the house depends on itself, however far around: neither when it runs nor for its types."""

import ast
import graphlib
import tomllib
from importlib.util import resolve_name
from pathlib import Path

ROOT = Path(__file__).parents[2]
SETUP = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]


def modules():
    """The file of every module of the house, by its name in the wheel."""
    found = {}
    for name, folder in SETUP["package-dir"].items():
        for file in (ROOT / folder).rglob("*.py"):
            inner = file.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join((name, *inner)).removesuffix(".__init__")] = file
    return found


def imported(name, file, known):
    """The modules of the house that a module names, wherever in its file it does so."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = resolve_name("." * node.level + (node.module or ""), package)
            names = (f"{source}.{each.name}" for each in node.names)
            # A name that is no module of its own is one of the module that it is imported from.
            found |= {each if each in known else source for each in names}
    return (found & known) - {name}


def test_no_import_leads_back_to_where_it_began():
    files = modules()
    graph = {name: imported(name, file, files.keys()) for name, file in files.items()}
    assert sum(map(len, graph.values())) > 1000
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        around = " -> ".join(reversed(error.args[1]))
        raise AssertionError(f"got a circle of imports, need none: {around}") from None
