"""A command's answer: its report, written with the command that made it, and its result on the terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from ..configs.run_directory import sole_owner
from . import options
from .terminal import note, print_json


def show_page(page: Path, *, open_page: bool, as_json: bool = False) -> None:
    """Say where the page is, beside the result where that is JSON, and open it where that is asked."""
    (note if as_json else print)(f"report: {page}")
    if open_page:
        import webbrowser

        webbrowser.open(page.resolve().as_uri())


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """How a command's answer is told.

    Attributes:
        running: the command.
        as_json: as one JSON document.
        open_report: and the page in a browser.
    """

    running: typer.Context
    as_json: options.Json = False
    open_report: options.Open = False

    @property
    def command(self) -> str:
        """The command line that repeats the run."""
        return options.invocation(self.running)

    def is_given(self, name: str) -> bool:
        """Whether the user gave an option, be it what it is without."""
        source = self.running.get_parameter_source(name)
        return source is not None and source.name == "COMMANDLINE"

    def hold(self, out: Path | None) -> None:
        """Keep a directory of results to this process until the command ends; nothing where there is none.

        Raises:
            ConfigError: another process holds it, or it cannot be made.
        """
        if out is not None:
            self.running.with_resource(sole_owner(out, told=note))

    def deliver(
        self,
        out: Path | None,
        *,
        write: Callable[[Path, str], Path],
        document: Callable[[], dict[str, Any]],
        show: Callable[[], None],
    ) -> None:
        """Write the results, print the answer, show the page.

        Args:
            out: directory of the results; a temporary one where there is only a page to open, none where there is not.
            write: writes them into a directory, with the command line, which it is given; returns the page.
            document: gives the answer as JSON.
            show: prints it as text.
        """
        page = None
        if out is not None or self.open_report:
            page = self._written(out, write)
        if self.as_json:
            print_json(document())
        else:
            show()
        if page is not None:
            show_page(page, open_page=self.open_report, as_json=self.as_json)

    def _written(self, out: Path | None, write: Callable[[Path, str], Path]) -> Path:
        import tempfile

        return write(out or Path(tempfile.mkdtemp(prefix="bisparse-")), self.command)
