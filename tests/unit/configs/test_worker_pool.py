"""Worker processes: what they are told, and what they are deaf to."""

import importlib
import os
import signal
import subprocess
import sys

import pytest
from bisparse.configs.worker_pool import WorkerPool

WORK = """
import signal
told = []
def begin(*words):
    told.extend(words)
def said(word):
    return [*told, word]
def held_back():
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()), signal.getsignal(signal.SIGINT)
def for_ever():
    while True:
        pass
"""


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A module that workers can import, too."""
    (tmp_path / "work_of_a_pool.py").write_text(WORK)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("work_of_a_pool")
    del sys.modules["work_of_a_pool"]


@pytest.fixture
def pool(work):
    made = WorkerPool(1, work.begin, "first", 2)
    yield made
    made.end()


def test_each_begins_before_its_first_task(pool, work):
    assert pool.submit(work.said, "then").result() == ["first", 2, "then"]


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_none_hears_an_interrupt_and_whoever_starts_them_does(pool, work):
    assert pool.submit(work.held_back).result() == (True, signal.SIG_IGN), "held back since before it could say so"
    assert not work.held_back()[0]


def test_what_is_under_way_is_not_waited_for(pool, work):
    under_way = pool.submit(work.for_ever)
    while not under_way.running():
        pass
    pool.end()
    with pytest.raises(Exception, match="terminated abruptly"):
        under_way.result(timeout=30)


@pytest.mark.parametrize("before", ["", "name = type(3).__name__\n", "if str.__name__ == 'str':\n    pass\n"])
def test_a_script_without_a_guard_may_start_processes(before, tmp_path):
    script = tmp_path / "plain.py"
    script.write_text(
        f"{before}from bisparse.configs.worker_pool import WorkerPool\n"
        "pool = WorkerPool(1)\n"
        "print('found', pool.submit(abs, -3).result(), __file__)\n"
        "pool.end()\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == (f"found 3 {script}\n", "")


@pytest.mark.parametrize("asked", ["__name__ == '__main__'", "'__main__' == __name__"])
def test_a_script_with_a_guard_is_there_for_its_processes(asked, tmp_path):
    script = tmp_path / "guarded.py"
    script.write_text(
        "from bisparse.configs.worker_pool import WorkerPool\n"
        "def of_the_script(number):\n    return number + 1\n"
        f"if {asked}:\n"
        "    pool = WorkerPool(1)\n"
        "    print('found', pool.submit(of_the_script, 3).result())\n"
        "    pool.end()\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("found 4\n", "")
