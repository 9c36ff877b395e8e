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


def pytest_collection_finish():
    """What is imported and collected lives to the end: looking for garbage in it again and again takes long."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


@pytest.fixture
def one_thread():
    """Threads that wait for each other take longer over products this small than one alone."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
