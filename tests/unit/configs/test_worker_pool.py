"""Worker processes: what they are told, and what they are deaf to."""

import os
import signal

import pytest
from bisparse.configs.worker_pool import WorkerPool

_told: list[object] = []


def _begin(*words):
    _told.extend(words)


def _said(word):
    return [*_told, word]


def _held_back():
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()), signal.getsignal(signal.SIGINT)


@pytest.fixture
def pool():
    made = WorkerPool(1, _begin, "first", 2)
    yield made
    made.end()


def test_each_begins_before_its_first_task(pool):
    assert pool.submit(_said, "then").result() == ["first", 2, "then"]


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_none_hears_an_interrupt_and_whoever_starts_them_does(pool):
    assert pool.submit(_held_back).result() == (True, signal.SIG_IGN), "held back since before it could say so itself"
    assert not _held_back()[0]


def test_what_is_under_way_is_not_waited_for(pool):
    under_way = pool.submit(_for_ever)
    pool.submit(_said, "never")
    while not under_way.running():
        pass
    pool.end()
    with pytest.raises(Exception, match="terminated abruptly"):
        under_way.result(timeout=30)


def _for_ever():
    while True:
        pass
