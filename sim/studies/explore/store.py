"""The store of a study: a row a run (a design under a scenario) in one SQLite file, written as results come.

A row is keyed by the hash of everything that determines it, the version of bisparse included, so that rows may serve
any sweep that asks for the same run and none that asks for another. One transaction a batch: a process that is killed
loses the batch in flight and nothing else. One process writes.

With each row, and with the study, stands a checksum of what it says: a damaged one is told when it is read. Rows of
before there were such are read without.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from ....configs.errors import ConfigError
from ....configs.library import content_hash
from .axis_values import Settings
from .point import Outcome

SCHEMA_VERSION = 1

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS figure_names (number INTEGER PRIMARY KEY, names TEXT UNIQUE NOT NULL);
CREATE TABLE IF NOT EXISTS run (
    key TEXT PRIMARY KEY, version TEXT NOT NULL, settings TEXT NOT NULL,
    figure_names INTEGER REFERENCES figure_names, figures TEXT, reason TEXT NOT NULL, checksum TEXT
);
CREATE TABLE IF NOT EXISTS design (number INTEGER PRIMARY KEY, settings TEXT NOT NULL, runs TEXT NOT NULL,
    reason TEXT NOT NULL);
"""

_STUDY_SUM, _DESIGNS_SUM = "study_checksum", "designs_checksum"
_SAID = ("sweep", "objectives", "strategy", "scenarios", "bisparse_version", "designs", "space_designs")
_OF_SWEEP = ("name", "sha256", "file", "data")
"""What must be said of a study."""

_AT_ONCE = 500
"""Keys looked up by one statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A finished run.

    Attributes:
        key: of everything that determines it.
        settings: of the design and the scenario.
        outcome: what became of it.
    """

    key: str
    settings: Settings
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignRow:
    """A design that a strategy asked for.

    Attributes:
        settings: of the design, without scenarios.
        runs: keys of its runs, a scenario each; none when it was ruled out before.
        reason: why it was.
    """

    settings: Settings
    runs: tuple[str, ...]
    reason: str = ""


class Store:
    """The rows of a study; a context manager that closes the file.

    Without a path they live in memory and end with the process.
    """

    def __init__(self, path: Path | None, *, version: str) -> None:
        """Open a store, which is made if absent.

        Args:
            path: of the file.
            version: of bisparse, which new rows are of.

        Raises:
            ConfigError: the file is no store, of another schema, in use, or cannot be written.
        """
        self._name = "memory" if path is None else str(path)
        self._version = version
        with self._told():
            self._database = sqlite3.connect(":memory:" if path is None else path, timeout=5.0)
            # Rows outlive a crash of the process at any moment; a crash of the machine may cost the last batches.
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.executescript(_TABLES)
            if "checksum" not in {column[1] for column in self._database.execute("PRAGMA table_info(run)")}:
                self._database.execute("ALTER TABLE run ADD COLUMN checksum TEXT")
        found = self.meta("schema_version")
        if found is None:
            self.set_meta("schema_version", str(SCHEMA_VERSION))
        elif found != str(SCHEMA_VERSION):
            raise ConfigError(
                f"{self._name}: got a store of schema {found}, need {SCHEMA_VERSION}; try another directory, or the "
                "version of bisparse that made it"
            )

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._database.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            hint = "; try again when no other process writes it" if "locked" in str(error) else ""
            raise ConfigError(f"{self._name}: got {error}, need a store that can be written{hint}") from None
        except sqlite3.DatabaseError as error:
            raise ConfigError(
                f"{self._name}: got {error}, need a store that bisparse explore wrote; try another directory"
            ) from None

    # What is known of the whole --------------------------------------------------------------------------------------

    def meta(self, name: str) -> str | None:
        """A remark on the whole, if it was made."""
        with self._told():
            row = self._database.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, name: str, value: str) -> None:
        """Remark something on the whole."""
        with self._told(), self._database as database:
            database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    # Runs ------------------------------------------------------------------------------------------------------------

    def write(self, rows: Sequence[RunRow]) -> None:
        """Write finished runs, all or none of them.

        Raises:
            ConfigError: they cannot be written; nothing that stands already is lost.
        """
        with self._told(), self._database as database:
            named = {tuple(each.outcome.figures) for each in rows if each.outcome.figures is not None}
            numbers = {names: self._number(names) for names in named}
            database.executemany(
                "INSERT OR REPLACE INTO run (key, version, settings, figure_names, figures, reason, checksum) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                [self._row(each, numbers) for each in rows],
            )

    def _row(
        self, row: RunRow, numbers: Mapping[tuple[str, ...], int]
    ) -> tuple[str, str, str, int | None, str | None, str, str]:
        figures = row.outcome.figures
        names = None if figures is None else numbers[tuple(figures)]
        # JSON gives integers and floats back as they were, to the last bit.
        values = None if figures is None else json.dumps(list(figures.values()), separators=(",", ":"))
        named = None if figures is None else list(figures)
        checksum = _checksum(row.key, named, values, row.outcome.reason)
        return row.key, self._version, json.dumps(row.settings), names, values, row.outcome.reason, checksum

    def _number(self, names: tuple[str, ...]) -> int:
        text = json.dumps(names)
        self._database.execute("INSERT OR IGNORE INTO figure_names (names) VALUES (?)", (text,))
        row = self._database.execute("SELECT number FROM figure_names WHERE names = ?", (text,)).fetchone()
        return int(row[0])

    def has(self, keys: Sequence[str]) -> set[str]:
        """Those of the keys that have a row."""
        found: set[str] = set()
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            marks = ",".join("?" * len(some))
            with self._told():
                found.update(
                    key for (key,) in self._database.execute(f"SELECT key FROM run WHERE key IN ({marks})", some)
                )
        return found

    def outcomes(self, keys: Sequence[str]) -> dict[str, Outcome]:
        """What became of runs, by key; those without a row are left out.

        Raises:
            ConfigError: a row is damaged.
        """
        with self._told(), self._whole("names of figures"):
            names = {number: json.loads(text) for number, text in self._database.execute("SELECT * FROM figure_names")}
        found: dict[str, Outcome] = {}
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            marks = ",".join("?" * len(some))
            statement = f"SELECT key, figure_names, figures, reason, checksum FROM run WHERE key IN ({marks})"
            with self._told():
                rows = self._database.execute(statement, some).fetchall()
            for key, number, values, reason, checksum in rows:
                with self._whole(f"run {key}"):
                    named = None if values is None else names[number]
                    _check(checksum, key, named, values, reason)
                    figures = None if named is None else dict(zip(named, json.loads(values), strict=True))
                    found[key] = Outcome(figures=figures, reason=reason)
        return found

    @contextmanager
    def _whole(self, what: str) -> Iterator[None]:
        """Tells what is damaged."""
        try:
            yield
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise self.damaged(what) from error

    def damaged(self, what: str) -> ConfigError:
        """What is told of a part of the file that is not as it was written."""
        return ConfigError(
            f"{self._name}: got {what} damaged or missing, need it as explore wrote it; try a copy of the file, or "
            "explore into another directory"
        )

    def __len__(self) -> int:
        """Runs of this version."""
        return self.versions().get(self._version, 0)

    def versions(self) -> dict[str, int]:
        """Runs by the version of bisparse that made them."""
        with self._told():
            return dict(self._database.execute("SELECT version, count(*) FROM run GROUP BY version"))

    # Designs ---------------------------------------------------------------------------------------------------------

    def finish(self, rows: Sequence[DesignRow], study: str) -> None:
        """Write down what the study is of, in the place of what stands: all of it or nothing.

        Args:
            rows: its designs, in their order.
            study: what is to be said of the whole, for ``meta("study")``.
        """
        with self._told(), self._database as database:
            texts = [(json.dumps(row.settings), json.dumps(row.runs), row.reason) for row in rows]
            database.executemany(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)",
                [("study", study), (_STUDY_SUM, _checksum(study)), (_DESIGNS_SUM, _checksum(*texts))],
            )
            database.execute("DELETE FROM design")
            database.executemany(
                "INSERT INTO design VALUES (?, ?, ?, ?)", [(number, *each) for number, each in enumerate(texts)]
            )

    def study(self) -> dict[str, Any] | None:
        """What is to be said of the finished study; None of one that was interrupted.

        Raises:
            ConfigError: it is damaged.
        """
        text, checksum = self.meta("study"), self.meta(_STUDY_SUM)
        if text is None:
            return None
        with self._whole("what it says of its study"):
            _check(checksum, text)
            said = json.loads(text)
            lacking = [name for name in _SAID if name not in said] + [
                name for name in _OF_SWEEP if name not in said["sweep"]
            ]
            if lacking:
                raise ValueError(f"{', '.join(lacking)} missing")
        return dict(said)

    def designs(self) -> list[DesignRow]:
        """The designs of the finished study, in their order; none of one that was interrupted.

        Raises:
            ConfigError: they are damaged.
        """
        with self._told():
            rows = self._database.execute("SELECT settings, runs, reason FROM design ORDER BY number").fetchall()
        with self._whole("its designs"):
            _check(self.meta(_DESIGNS_SUM), *rows)
            return [
                DesignRow(settings=dict(json.loads(settings)), runs=tuple(json.loads(runs)), reason=reason)
                for settings, runs, reason in rows
            ]


def _checksum(*said: Any) -> str:
    """Of what a row says; 64 bits tell damage, whatever it is."""
    return content_hash(list(said))[:16]


def _check(checksum: str | None, *said: Any) -> None:
    if checksum is not None and checksum != _checksum(*said):
        raise ValueError("its checksum is another")
