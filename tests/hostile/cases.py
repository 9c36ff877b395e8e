"""One case: a folder with something wrong in it, or a strange word, and the command line that meets it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from . import words
from .raw_bytes import NOT_FILES, put_no_file
from .targets import PLAIN, TORCH, Target, damage
from .values import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is run, and what is known of it.

    Attributes:
        number: of the case; with the campaign's seed it says all.
        kind: of file, or the command whose options are strange.
        how: the damage, in a word or two.
        argv: of the command line.
        file: that is damaged; empty for strange words.
        strange: options with strange values.
        path: of the place in a document that has another value.
        value: the number that stands there.
        shows: a command that prints what the file says, as JSON.
    """

    number: int
    kind: str
    how: str
    argv: Sequence[str]
    file: str = ""
    strange: Sequence[str] = ()
    path: tuple[Any, ...] = ()
    value: int | float | None = None
    shows: Sequence[str] | None = None


def prepare(seed: int, number: int, *, corpus: Path, folder: Path, with_torch: bool, cheap: bool = False) -> Case:
    """Put the files of a case into a folder.

    Args:
        seed: of the campaign.
        number: of the case.
        corpus: the whole files.
        folder: that is made, with the files of the case.
        with_torch: whether training runs and networks are among them.
        cheap: whether what takes seconds is left out.
    """
    draw = Random(f"{seed}:{number}")
    if draw.random() < 0.35:
        return _strange_words(draw, number, corpus, folder, with_torch=with_torch, cheap=cheap)
    targets = [each for each in ((*PLAIN, *TORCH) if with_torch else PLAIN) if each.cheap or not cheap]
    target = draw.choices(targets, [each.weight for each in targets])[0]
    _copied(corpus / target.folder, folder)
    command = draw.choice(target.commands)
    file = folder / target.file
    if draw.random() < 0.06:
        how = draw.choice(NOT_FILES)
        put_no_file(how, file)
        return Case(number=number, kind=target.kind, how=how, argv=command, file=target.file)
    return _damaged(draw, number, target, file, command)


def _damaged(draw: Random, number: int, target: Target, file: Path, command: Sequence[str]) -> Case:
    how, content, found = damage(draw, target, file.read_bytes())
    file.write_bytes(content)
    if target.file.endswith(("summary.json", "graph.json")) and draw.random() < 0.7:
        # Else the list of checksums refuses before anybody looks.
        file.with_name("checksums.sha256").unlink(missing_ok=True)
    value = None if found is None or isinstance(found.value, bool | Literal) else found.value
    return Case(
        number=number,
        kind=target.kind,
        how=how,
        argv=command,
        file=target.file,
        path=() if found is None else found.path,
        value=value if isinstance(value, int | float) else None,
        shows=target.shows,
    )


def _strange_words(draw: Random, number: int, corpus: Path, folder: Path, *, with_torch: bool, cheap: bool) -> Case:
    without = (*([] if with_torch else words.WITH_TORCH), *(words.DEAR if cheap else []))
    command, argv, strange = words.draw_words(draw, without=without)
    _copied(corpus / ("torch" if command in words.WITH_TORCH else "plain"), folder)
    for name, how in words.places_of_things().items():
        put_no_file(how, folder / name)
    return Case(number=number, kind=f"options of {command}", how="strange words", argv=argv, strange=strange)


def _copied(whole: Path, folder: Path) -> None:
    # Without times and modes, which nobody reads.
    shutil.copytree(whole, folder, copy_function=shutil.copyfile)
