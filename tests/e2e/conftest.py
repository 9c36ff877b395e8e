"""A command line, run in this process."""

import json

import pytest

from bisparse.command_line import main


class Run:
    """What one command line left behind."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def document(self):
        """Standard output as the one JSON document that it must be."""
        return json.loads(self.out)


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Runs command lines in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    # Workers of pytest-xdist are told a width; a pipe has none.
    monkeypatch.delenv("COLUMNS", raising=False)

    def command_line(*arguments):
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Run(left.value.code, printed.out, printed.err)

    return command_line
