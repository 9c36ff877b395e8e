"""A kind of report: the files of its directory, written from a result and, of those that are whole in JSON, read back.

A kind is declared once, with its files and what makes them; writing, reading and ``bisparse report`` follow from that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from ...configs.errors import ConfigError
from .directory_files import check_version, read_document, write_files

Result = TypeVar("Result")


class ReportKind(Protocol):
    """What ``bisparse report`` must know of a kind."""

    @property
    def document_file(self) -> str:
        """What is in every directory of this kind, and in no other."""

    @property
    def command_file(self) -> str:
        """Where the command line that repeats a run stands."""

    def again(self, directory: Path, *, command: str, version: str, told: Callable[[str], None]) -> Path:
        """Make the report again from what the directory holds.

        Args:
            directory: of an earlier run.
            command: what a reader types to repeat the run.
            version: of bisparse.
            told: gets remarks, a sentence each.

        Returns:
            Path of the page.

        Raises:
            ConfigError: the directory holds no whole result.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonReport(Generic[Result]):
    """A kind whose results are whole in one JSON document.

    Attributes:
        document_file: its name.
        page_file: name of the page.
        command_file: name of the file with the command line that repeats a run.
        writer: the command that writes such a directory.
        document_text: a result as the document has it.
        result_of: a result from the document of a file; ``ConfigError`` when it is none, see ``result_in``.
        beside: the other files by name, from a result and the command line: CSV, Markdown.
        page: the page, from the same.
        only_of_run: patterns of files that running alone can make; a new run takes those of an earlier one away.
    """

    document_file: str
    page_file: str
    command_file: str
    writer: str
    document_text: Callable[[Result], str]
    result_of: Callable[[dict[str, Any], Path], Result]
    beside: Callable[[Result, str], Mapping[str, bytes]]
    page: Callable[[Result, str], bytes]
    only_of_run: tuple[str, ...] = ()

    def write(self, result: Result, directory: Path, *, command: str, keep_command: bool = False) -> Path:
        """Write a run's files into a directory, which is made if absent.

        The directory holds the earlier run or this one, not parts of both: all files are written beside and moved when
        the last is whole, see ``write_all_whole``, and what only the earlier run had goes.

        Args:
            result: the result.
            directory: of the run; files of these names are replaced.
            command: what a reader types to repeat the run.
            keep_command: whether it stands in a file, too, for ``bisparse report``.

        Returns:
            Path of the page.

        Raises:
            ConfigError: the directory cannot be made or written.
        """
        files = self._files(result, command)
        if keep_command:
            files[self.command_file] = f"{command}\n".encode()
        write_files(directory, files)
        for pattern in (*self.only_of_run, self.command_file):
            for old in directory.glob(pattern):
                if old.name not in files:
                    old.unlink()
        return directory / self.page_file

    def _files(self, result: Result, command: str) -> dict[str, bytes]:
        return {
            self.document_file: self.document_text(result).encode(),
            **self.beside(result, command),
            self.page_file: self.page(result, command),
        }

    def read(self, directory: Path) -> Result:
        """The result that a directory holds.

        Raises:
            ConfigError: there is none, or it is broken, or a newer version wrote it.
        """
        path = directory / self.document_file
        return self.result_of(read_document(path, writer=self.writer), path)

    def again(self, directory: Path, *, command: str, version: str, told: Callable[[str], None]) -> Path:
        """Make the report again from the document; see ``ReportKind``."""
        write_files(directory, self._files(self.read(directory), command))
        return directory / self.page_file


def result_in(
    document: Any,
    path: Path,
    *,
    from_document: Callable[[dict[str, Any]], Result],
    newest: int,
    within: str = "",
) -> Result:
    """A result from its document.

    Args:
        document: plain data.
        path: of its file.
        from_document: makes the result of a document of the right version.
        newest: schema version.
        within: where the document stands in its file, for messages: ``results.0.``.

    Raises:
        ConfigError: it is broken, or a newer version wrote it.
    """
    check_version(document, path, newest=newest)
    try:
        return from_document(document)
    except ConfigError as error:
        raise ConfigError(f"{path}: {within}{error}; try running it again") from None
