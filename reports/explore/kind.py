"""The exploration as a kind of report: its study is a store, and its reports are made from that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ...configs.errors import ConfigError
from ...sim.studies.explore import STORE_FILE

if TYPE_CHECKING:
    from ...sim.studies.explore.space import Space
    from ...sim.studies.explore.study import Study


class ExplorationReport:
    """See ``ReportKind``. What needs pandas is imported when it is asked for."""

    document_file = STORE_FILE
    command_file = "explore-command.txt"

    def again(self, directory: Path, *, command: str, version: str, told: Callable[[str], None]) -> Path:
        """Write the tables and reports of a finished study again; gives the page."""
        study, space = self.read(directory, version=version)
        return self.write(study, space, directory, command=command, version=version, told=told)

    def write(
        self,
        study: Study,
        space: Space,
        directory: Path,
        *,
        command: str,
        version: str,
        told: Callable[[str], None],
        reference: Study | None = None,
    ) -> Path:
        """Write a study's tables and reports into its directory; gives the page."""
        from .directory import write_exploration

        for remark in study.write(directory):
            told(remark)
        return write_exploration(study, space, directory, version=version, command=command, reference=reference)[0]

    def read(self, directory: Path, *, version: str) -> tuple[Study, Space]:
        """A finished study and its space.

        Raises:
            ConfigError: there is none, or the files or the version that it was made with are others now.
        """
        space = self.space_in(directory, version=version)
        return self.study_in(directory, space, version=version), space

    def study_in(self, directory: Path, space: Space, *, version: str) -> Study:
        """A finished study of a space; refused when the files or the version that it was made with are others now."""
        from ...sim.studies.explore.running import load, stale

        study = load(directory, space, version=version)
        if key := stale(study, space, version=version):
            made = study.meta["bisparse_version"]
            raise ConfigError(
                f"{directory}: got design {key}, which is another one now: the study was made by bisparse {made}, or "
                "its files have changed since; try explore --resume, which computes what has changed"
            )
        return study

    def space_in(self, directory: Path, *, version: str) -> Space:
        """The space of the study in a directory, as it was when it was run."""
        from ...sim.studies.explore.running import stored_sweep
        from ...sim.studies.explore.space import Space

        if not (directory / STORE_FILE).is_file():
            raise ConfigError(f"{directory}: got no {STORE_FILE}, need the directory of a study")
        loaded = stored_sweep(directory, version=version)
        if loaded is None:
            raise ConfigError(
                f"{directory}: got a study that was interrupted, need a finished one; try explore --resume"
            )
        return Space(loaded, version=version)


EXPLORATION = ExplorationReport()
