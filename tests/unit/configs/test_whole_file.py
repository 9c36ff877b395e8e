"""A file is the one of before or the new one, whole, and nothing stands beside it."""

import os
from pathlib import Path

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.configs.whole_file import write_all_whole, write_whole, written_whole

WAYS = [OSError(28, "No space left on device"), KeyboardInterrupt()]


def names(folder):
    return sorted(each.name for each in folder.iterdir())


@pytest.fixture
def fails_at(monkeypatch):
    """Has the writing of some content end halfway."""

    def prepare(content, way):
        write = Path.write_bytes

        def halfway(self, given):
            if given != content:
                return write(self, given)
            write(self, given[: len(given) // 2])
            raise way

        monkeypatch.setattr(Path, "write_bytes", halfway)

    return prepare


@pytest.mark.parametrize("way", WAYS)
def test_what_fails_halfway_leaves_the_earlier_file_alone(tmp_path, fails_at, way):
    file = tmp_path / "s.json"
    write_whole(file, "earlier")
    fails_at(b"the new one", way)
    with pytest.raises(type(way)):
        write_whole(file, "the new one")
    assert (file.read_text(), names(tmp_path)) == ("earlier", ["s.json"])


@pytest.mark.parametrize("way", WAYS)
def test_of_several_files_none_is_new_when_one_fails(tmp_path, fails_at, way):
    write_all_whole(tmp_path, {"a": b"1", "b": b"1"})
    fails_at(b"2 and last", way)
    with pytest.raises(type(way)):
        write_all_whole(tmp_path, {"a": b"2", "new": b"2", "b": b"2 and last"})
    assert names(tmp_path) == ["a", "b"]
    assert {(tmp_path / name).read_bytes() for name in "ab"} == {b"1"}


def test_a_link_and_the_mode_stay(tmp_path):
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("earlier")
    file.chmod(0o640)
    link.symlink_to("file")
    write_whole(link, "new")
    assert link.is_symlink()
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new", 0o640)


def test_a_new_file_has_the_mode_that_the_user_s_mask_gives(tmp_path):
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "file", "new")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_what_is_no_file_is_written_where_it_is():
    write_whole(Path(os.devnull), "gone")
    assert not Path(os.devnull).is_file()


def test_a_name_as_long_as_a_file_system_takes_is_written(tmp_path):
    write_whole(tmp_path / ("n" * 255), "content")
    assert names(tmp_path) == ["n" * 255]


def test_what_is_beside_ends_as_its_place_does(tmp_path):
    with written_whole(tmp_path / "trace.gz") as beside:
        assert (beside.parent, beside.suffix) == (tmp_path, ".gz")
        beside.write_bytes(b"")
    assert names(tmp_path) == ["trace.gz"]


def test_a_fifo_that_nobody_reads_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "f")
    with pytest.raises(ConfigError, match="f: got a FIFO that nobody reads, need a file, or a reader; try cat"):
        write_whole(tmp_path / "f", "content")


def test_a_fifo_is_written_where_somebody_reads_it(tmp_path):
    os.mkfifo(tmp_path / "f")
    reader = os.open(tmp_path / "f", os.O_RDONLY | os.O_NONBLOCK)
    write_whole(tmp_path / "f", "content")
    assert os.read(reader, 100) == b"content"
    os.close(reader)


def test_what_the_shell_opened_is_written():
    reader, writer = os.pipe()
    write_whole(Path(f"/dev/fd/{writer}"), "content")
    assert os.read(reader, 100) == b"content"
    os.close(reader)
    os.close(writer)
