"""The log of a run: a row a step, cut back to the checkpoint when the run goes on from there."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from types import TracebackType

from ...configs.file_reading import decoded, read_file
from ...configs.whole_file import write_whole

_WORDS = re.compile(r'[^\s,"]+')
"""Of a phase's name, which may be any text; a row is a line, and commas part its cells."""

COLUMNS = ("step", "epoch", "phase", "learning_rate", "loss", "loss_scale")


class RunLog:
    """Appends rows to ``log.csv``.

    Args:
        path: of the file.
        after: updates done: rows of later steps are dropped, being those of a run that was interrupted.

    Raises:
        ConfigError: there is a log that cannot be read.
    """

    def __init__(self, path: Path, *, after: int) -> None:
        kept: list[list[str]] = []
        if after and path.exists():
            # Numbers, and names without commas: no cell has quotes.
            rows = [line.split(",") for line in decoded(read_file(path, need="the log of a run"), path).split("\n")[1:]]
            # A row cut off by a kill is the last one, and of a step that will come again.
            kept = [row for row in rows if len(row) == len(COLUMNS) and _is_until(row[0], after)]
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([COLUMNS, *kept])
        write_whole(path, text.getvalue())
        self._file = path.open("a", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file, lineterminator="\n")

    def add(self, *, step: int, epoch: int, phase: str, learning_rate: float, loss: float, loss_scale: float) -> None:
        """A step done."""
        name = " ".join(_WORDS.findall(phase))
        self._writer.writerow([step, epoch, name, f"{learning_rate:.6g}", f"{loss:.6g}", f"{loss_scale:g}"])

    def flush(self) -> None:
        """Let readers see what is there."""
        self._file.flush()

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _is_until(step: str, after: int) -> bool:
    return step.isdecimal() and len(step) < 20 and int(step) <= after
