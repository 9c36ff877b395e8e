"""Worker processes: what they are told, and what they are deaf to."""

import importlib
import os
import signal
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
