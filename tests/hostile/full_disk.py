"""Disks that are full at each write: the earlier result stays, nothing is left beside it, and what goes on ends alike.

python -m tests.hostile.full_disk                 needs root on Linux: it mounts a small file system in memory

Each command writes onto a disk that has room for its earlier result and a few pages more, a few more each time, until
it has enough.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .corpus import make_corpus
from .running import Outcome, run

PAGE = 4096
SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """A command that writes.

    Attributes:
        name: as the table calls it.
        folder: of the corpus.
        earlier: writes what stands there before; ``{disk}`` is the full one.
        later: writes in its place.
        goes_on: whether it goes on, once there is room, from what it wrote; with these words more.
        same: files that then are those of a run that never met a full disk.
    """

    name: str
    folder: str
    earlier: str
    later: str
    goes_on: str | None = None
    same: Sequence[str] = ()


_TRAIN = "train --model mlp --data digits --epochs 2 --recipe bdwp --out {disk}/run"
WRITERS = (
    Writer(
        name="simulate --out",
        folder="plain",
        earlier="simulate mlp.json --batch 8 --out {disk}/run",
        later="simulate mlp.json --batch 9 --engine event --out {disk}/run",
    ),
    Writer(
        name="simulate --save-schedule",
        folder="plain",
        earlier="simulate mlp.json --batch 8 --save-schedule {disk}/s.json",
        later="simulate mlp.json --batch 9 --save-schedule {disk}/s.json",
    ),
    Writer(
        name="compare --out",
        folder="plain",
        earlier="compare mlp.json --recipes dense,bdwp --batch 8 --out {disk}/run",
        later="compare mlp.json --recipes dense,bdwp --batch 9 --out {disk}/run",
    ),
    Writer(
        name="ablate --out",
        folder="plain",
        earlier="ablate mlp.json --batch 8 --out {disk}/run",
        later="ablate mlp.json --batch 9 --out {disk}/run",
    ),
    Writer(
        name="report",
        folder="plain",
        earlier="simulate mlp.json --batch 8 --out {disk}/run",
        later="report {disk}/run",
    ),
    Writer(
        name="trace --out",
        folder="plain",
        earlier="trace mlp.json l1:FF --batch 400 --out {disk}/bursts.txt",
        later="trace mlp.json l1:FF --batch 800 --out {disk}/bursts.txt",
    ),
    Writer(name="init", folder="plain", earlier="init {disk}/a.yaml", later="init {disk}/b.yaml"),
    Writer(
        name="capture --out",
        folder="torch",
        earlier="capture net.py:made --input 1x8x8 --no-cache --out {disk}/graph.json",
        later="capture net.py:made --input 1x8x8 --no-cache --batch 7 --out {disk}/graph.json",
    ),
    Writer(
        name="assign --out",
        folder="torch",
        earlier="assign dense --ratios 2:8,4:8 --out {disk}/mine.yaml",
        later="assign dense --ratios 2:8 --out {disk}/mine.yaml",
    ),
    Writer(
        name="explore --out",
        folder="plain",
        earlier="",
        later="explore sweep.yaml --jobs 1 --out {disk}/study",
        goes_on="--resume",
        same=("study/designs.csv",),
    ),
    Writer(
        name="train --out", folder="torch", earlier="", later=_TRAIN, goes_on="", same=("run/log.csv", "run/graph.json")
    ),
)


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[Path]:
    """A file system in memory."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _resize(disk: Path, size: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


def _used(disk: Path) -> int:
    found = os.statvfs(disk)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def _files(disk: Path) -> dict[str, bytes]:
    return {str(file.relative_to(disk)): file.read_bytes() for file in sorted(disk.rglob("*")) if file.is_file()}


def _emptied(disk: Path, files: dict[str, bytes]) -> None:
    """Have the disk hold these files and no others."""
    for each in disk.iterdir():
        shutil.rmtree(each) if each.is_dir() else each.unlink()
    for name, content in files.items():
        (disk / name).parent.mkdir(parents=True, exist_ok=True)
        (disk / name).write_bytes(content)


def _rooms() -> Iterator[int]:
    """Bytes more than the earlier result takes, ever more of them."""
    pages = 0
    while True:
        yield pages * PAGE
        pages = pages + 1 if pages < 8 else pages * 3 // 2


def check(writer: Writer, corpus: Path, disk: Path, work: Path) -> tuple[int, list[str]]:
    """How many full disks a command met, and what was wrong after them."""

    def ran(words: str) -> Outcome:
        return run(words.format(disk=disk).split(), work, seconds=SECONDS)

    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(corpus / writer.folder, work)
    _resize(disk, 256 * 2**20)
    _emptied(disk, {})
    if writer.earlier and ran(writer.earlier).code != 0:
        return 0, ["the earlier result could not be made"]
    earlier = _files(disk)
    assert ran(writer.later).code == 0, writer
    whole = _files(disk)
    faults: list[str] = []
    for met, room in enumerate(_rooms()):
        _resize(disk, 256 * 2**20)
        _emptied(disk, earlier)
        _resize(disk, _used(disk) + max(room, PAGE if not earlier else 0))
        outcome = ran(writer.later)
        if outcome.code == 0:
            return met, faults
        faults += [f"{room} bytes of room: {each}" for each in _faults(writer, outcome, earlier, _files(disk))]
        if writer.goes_on is not None:
            _resize(disk, 256 * 2**20)
            again = ran(f"{writer.later} {writer.goes_on}" if (disk / "study").exists() else writer.later)
            now = _files(disk)
            if again.code != 0:
                faults.append(
                    f"{room} bytes of room: with more it does not go on: {again.err[-300:]}{again.error[-300:]}"
                )
            faults += [f"{room} bytes of room: {name} differs" for name in writer.same if now.get(name) != whole[name]]
    raise AssertionError


def _faults(writer: Writer, outcome: Outcome, earlier: dict[str, bytes], now: dict[str, bytes]) -> Iterator[str]:
    lines = outcome.err.strip().splitlines()
    if outcome.code != 2 or outcome.error:
        yield f"exit code {outcome.code}, {outcome.error[-400:]}"
    elif not lines or "need" not in lines[-1]:
        yield f"it says {outcome.err[-300:]!r}"
    if left := [name for name in now if ".part" in Path(name).name]:
        yield f"left behind: {left}"
    if writer.goes_on is None:
        if lost := [name for name, content in earlier.items() if now.get(name) != content]:
            yield f"not as before: {lost}"
        if more := [name for name in now if name not in earlier and ".part" not in name]:
            yield f"new beside the earlier: {more}"


def main() -> int:
    """Check every command; 1 when one is at fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.full_disk", description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, default=Path("runs/hostile"), help="keeps whole files")
    parser.add_argument("--only", default="", help="commands whose name holds this")
    asked = parser.parse_args()
    corpus = (asked.work / "corpus").resolve()
    make_corpus(corpus, with_torch=True)
    failed = False
    print("| command | full disks met | faults |\n|---|--:|--:|")
    with tempfile.TemporaryDirectory(prefix="hostile-") as made, _disk(Path(made) / "disk") as disk:
        for writer in WRITERS:
            if asked.only in writer.name:
                met, faults = check(writer, corpus, disk, Path(made) / "work")
                print(f"| {writer.name} | {met} | {len(faults)} |", flush=True)
                print(json.dumps(faults, indent=1) if faults else "", file=sys.stderr)
                failed = failed or bool(faults)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
