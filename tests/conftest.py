"""What all tests share."""

import gc
import getpass
import os
import tempfile
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers, and the processes that their tests start, leave each other the cores. Read when NumPy or torch is loaded.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# What tests start compiles the package once for all of them, and leaves nothing beside the sources.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ["PYTHONPYCACHEPREFIX"] = str(Path(tempfile.gettempdir()) / f"bisparse-tests-bytecode-{getpass.getuser()}")

LONGEST = (
    "contract/test_every_ablation.py",
    "contract/test_every_simulation.py",
    "property/test_evaluation.py",
    "property/test_event_engine.py",
    "property/test_search_is_honest.py",
    "unit/sim/studies/test_assignment.py",
    "validation/test_engines_agree.py",
    "validation/test_measured_ablations.py",
    "validation/test_published_figures.py",
)
"""Files that take longest, in tests/."""


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session):
    """The mapping search is compiled once, before anybody works side by side; a later session finds it."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        from bisparse.dataflow import search_compiled

        search_compiled.build()


def pytest_collection_modifyitems(items):
    """The longest files stand first: no worker is left with one of them while the others have nothing to do."""
    items.sort(key=lambda item: not item.path.as_posix().endswith(LONGEST))


def pytest_collection():
    """Hundreds of modules are imported and thousands of tests made: nothing of them is garbage."""
    gc.disable()


def pytest_collection_finish():
    """What is imported and collected lives to the end: looking for garbage in it again and again takes long."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(100_000, 20, 20)


@pytest.fixture
def one_thread():
    """Threads that wait for each other take longer over products this small than one alone."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
