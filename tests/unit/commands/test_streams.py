"""What is printed is shown as it is, wherever it goes."""

import io
import os
import sys

import pytest

from bisparse.command_line import main
from bisparse.commands.streams import ShownText, shown, usable_streams


def ascii_stream():
    return io.TextIOWrapper(io.BytesIO(), encoding="ascii")


def test_control_characters_are_shown_as_their_escapes():
    told = "a\x1b]0;title\x07b\x9bc\u202ed\x7f"
    assert shown(told) == r"a\x1b]0;title\x07b\x9bc\u202ed\x7f"
    assert shown("line\n\ttab µ ü …") == "line\n\ttab µ ü …"


def test_what_a_character_set_lacks_is_shown_too():
    under = ascii_stream()
    print("5 µs", file=ShownText(under), flush=True)
    assert under.buffer.getvalue() == b"5 \\xb5s\n"


def test_a_stream_that_is_not_there_takes_what_is_printed(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    with usable_streams():
        assert not sys.stderr.isatty() or os.isatty(2)
        print("", end="")
    assert sys.stdout is None


def test_a_command_s_streams_are_those_of_before_when_it_has_ended(capsys):
    before = sys.stdout, sys.stderr
    with pytest.raises(SystemExit):
        main(["hardware", "show", "no\x1bsuch"])
    assert (sys.stdout, sys.stderr) == before
    assert "\x1b" not in capsys.readouterr().err
