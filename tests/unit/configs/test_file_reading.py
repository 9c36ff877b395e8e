"""What is read as a file: a regular one, of a size; nothing that opening would wait for."""

import os
import socket

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.configs.file_kinds import looks_like
from bisparse.configs.file_reading import read_file
from bisparse.configs.library import find
from bisparse.configs.schema import load_annotated
from bisparse.configs.strict_yaml import parse
from bisparse.configs.whole_file import read_table
from bisparse.training.graph_file import load_graph
from pydantic import BaseModel

READERS = {
    "bytes": lambda path: read_file(path, need="a file"),
    "YAML": parse,
    "table": lambda path: read_table(path, need="a table"),
    "graph": load_graph,
    "library": lambda path: find("hardware", path),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS.keys())
def test_a_fifo_and_a_device_are_refused_and_never_opened(tmp_path, read):
    fifo = tmp_path / "f.yaml"
    os.mkfifo(fifo)
    with pytest.raises(ConfigError, match=rf"^{fifo}: got a FIFO, need a file$"):
        read(fifo)
    with pytest.raises(ConfigError, match=r"^/dev/zero: got a device, need a file$"):
        read("/dev/zero")


def test_a_socket_is_refused(tmp_path, monkeypatch):
    # Names of sockets are short.
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s")
        with pytest.raises(ConfigError, match=r"^s: got a socket, need a file$"):
            read_file("s", need="a file")


def test_what_a_fifo_is_cannot_be_told_by_its_content(tmp_path):
    os.mkfifo(tmp_path / "f.data")
    assert looks_like(tmp_path / "f.data") is None


def test_a_file_may_not_extend_a_fifo(tmp_path):
    os.mkfifo(tmp_path / "base.yaml")
    (tmp_path / "a.yaml").write_text("extends: ./base.yaml\n")
    with pytest.raises(ConfigError, match=r"a\.yaml:1: extends: got a FIFO, .*base\.yaml, need a file$"):
        load_annotated(tmp_path / "a.yaml", BaseModel, "hardware")


def test_what_the_shell_has_opened_is_read_to_its_end():
    reading, writing = os.pipe()
    os.write(writing, b"a: 1\n")
    os.close(writing)
    try:
        assert parse(f"/dev/fd/{reading}").data == {"a": 1}
    finally:
        os.close(reading)


def test_a_file_that_is_too_large_is_told_the_limit(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(b"x" * (2**20 + 1))
    assert len(read_file(file, need="a file", most_bytes=2**20 + 1)) == 2**20 + 1
    with pytest.raises(ConfigError, match=r"a: got more than 1 MiB, need a file of at most that$"):
        read_file(file, need="a file", most_bytes=2**20)


@pytest.mark.parametrize("name", ["a\0b", "a" * 300])
def test_names_that_no_file_has_are_one_line(name):
    with pytest.raises(ConfigError, match=r"^[^\n]*got [^\n]*, need [^\n]*$"):
        read_file(name, need="a file")
