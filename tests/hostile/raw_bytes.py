"""Files damaged without a look at what they mean, and things that stand where a file should and are none."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from random import Random


def damaged_bytes(draw: Random, content: bytes) -> tuple[str, bytes]:
    """What was done, and the content after it."""
    raw = bytearray(content)
    place = draw.randrange(len(raw) + 1)
    other = min(len(raw), place + draw.choice((1, 7, 64, 1000)))
    match draw.randrange(9):
        case 0 if raw:
            for _ in range(draw.choice((1, 1, 4, 40))):
                raw[draw.randrange(len(raw))] ^= 1 << draw.randrange(8)
            return "bits flipped", bytes(raw)
        case 1:
            return "truncated", bytes(raw[:place])
        case 2:
            return "repeated", bytes(raw[:other] + raw[place:other] * draw.choice((1, 3)) + raw[other:])
        case 3:
            raw[place:place] = draw.choice((b"\0", b"\0" * 100, b"\x1a"))
            return "NUL", bytes(raw)
        case 4:
            raw[place:place] = draw.choice((b"\xff", b"\xfe\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xef\xbb\xbf"))
            return "no UTF-8", bytes(raw)
        case 5:
            return "empty", draw.choice((b"", b"\n", b" ", b"\xef\xbb\xbf", b"---\n", b"\0"))
        case 6:
            return "a piece gone", bytes(raw[:place] + raw[other:])
        case 7:
            return "twice", bytes(raw + raw)
    return "rubbish", draw.randbytes(draw.choice((1, 100, 5000)))


def damaged_zip(draw: Random, content: bytes) -> tuple[str, bytes]:
    """An archive that is whole, one of whose members is damaged, gone or there twice."""
    source = zipfile.ZipFile(io.BytesIO(content))
    names = source.namelist()
    chosen, made = draw.choice(names), io.BytesIO()
    how = draw.choice(("changed", "changed", "gone", "renamed"))
    with zipfile.ZipFile(made, "w") as target:
        for name in names:
            data = source.read(name)
            if name == chosen and how == "gone":
                continue
            if name == chosen and how == "changed":
                data = damaged_bytes(draw, data)[1]
            target.writestr(f"{name}2" if name == chosen and how == "renamed" else name, data)
    return f"member {how}", made.getvalue()


NOT_FILES = ("folder", "FIFO", "loop of links", "dangling link", "no permission", "device", "folder with files")


def put_no_file(how: str, path: Path) -> None:
    """Put a thing that is no file to be read where a file was, or nothing was."""
    if path.is_file() or path.is_symlink():
        path.unlink()
    elif path.is_dir():
        # Of a folder that was to be read: something else in its place.
        path.rename(path.with_name(f"{path.name}-was"))
    match how:
        case "folder":
            path.mkdir()
        case "folder with files":
            path.mkdir()
            (path / "a.txt").write_text("a")
        case "FIFO":
            os.mkfifo(path)
        case "loop of links":
            path.symlink_to(path.name)
        case "dangling link":
            path.symlink_to("nothing-there")
        case "no permission":
            path.write_bytes(b"secret")
            path.chmod(0)
        case "device":
            path.symlink_to("/dev/zero")
