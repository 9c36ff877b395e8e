"""What stands in a ``.pt2`` file of ``torch.export.save``: the program as JSON, and its tensors. Nothing of it is run.

``torch.export.load`` unpickles example inputs and constants, evaluates expressions of shapes, and takes compiled
libraries along: a file can run code through it. Here the program is data (its operators are looked up among torch's
own, see ``exported_module``) and tensors are bytes with a type and extents; the few that torch pickles are loaded
weights-only, and what is compiled or an object of a class is refused.

Source: ``torch/export/pt2_archive`` and ``torch/_export/serde/schema.py``, schema 8.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import torch

from ...configs.errors import CaptureError
from ...configs.file_reading import check_not_special
from .weights_only import load_weights_only

_SCHEMA = 8
"""The major version of the program's schema; a minor one adds to it."""

_LARGEST = 1 << 28
"""Elements up to which tensors are read; larger networks are their shapes alone."""

_MODELS, _WEIGHTS, _CONSTANTS = "models/", "data/weights/", "data/constants/"
_COMPILED = "data/aotinductor/"

DTYPES: dict[int, torch.dtype] = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    9: torch.complex32,
    10: torch.complex64,
    11: torch.complex128,
    12: torch.bool,
    13: torch.bfloat16,
    28: torch.uint16,
    29: torch.float8_e4m3fn,
    30: torch.float8_e5m2,
    31: torch.float8_e4m3fnuz,
    32: torch.float8_e5m2fnuz,
}
"""The schema's numbers of types."""

DAMAGES = (
    *(BadZipFile, EOFError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError),
    *(RuntimeError, RecursionError, StopIteration),
)
"""What reading a document raises that is not what it should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedArchive:
    """One exported program.

    Attributes:
        graph_module: of the schema: ``graph``, ``signature``, ``module_call_graph``.
        state: parameters and buffers by name; without data in a large network.
        constants: other tensors that the program reads, by name.
    """

    graph_module: dict[str, Any]
    state: dict[str, torch.Tensor]
    constants: dict[str, torch.Tensor]


def read_archive(file: Path) -> ExportedArchive:
    """Read a ``.pt2`` file.

    Raises:
        CaptureError: it is none, is damaged, or holds what only running its code would load.
        ConfigError: it is a FIFO, a device or a socket.
    """
    check_not_special(file)
    try:
        with ZipFile(file) as archive:
            return _Reader(file, archive).read()
    except OSError as error:
        raise CaptureError(f"{file}: got {error.strerror or error}, need a file that can be read") from error
    except DAMAGES as error:
        raise damaged(file, error) from error


def damaged(file: Path, error: BaseException) -> CaptureError:
    """The one line that says that a file is not what torch saves."""
    first_line = str(error).strip().partition("\n")[0].rstrip(".")
    return CaptureError(
        f"{file}: got {type(error).__name__}: {first_line}, need a program whole as torch.export.save writes it "
        "(torch 2.8 or later); try exporting it again"
    )


class _Reader:
    """Reads the members of one archive."""

    def __init__(self, file: Path, archive: ZipFile) -> None:
        self._file, self._archive = file, archive
        # Torch puts all members in one folder of the archive, whose name says nothing.
        self._members = {name.partition("/")[2]: name for name in archive.namelist()}

    def read(self) -> ExportedArchive:
        if any(name.startswith(_COMPILED) for name in self._members):
            raise self._refusal("a compiled library", "a program that torch.export.save wrote")
        models = [name for name in self._members if name.startswith(_MODELS) and name.endswith(".json")]
        if len(models) != 1:
            raise self._refusal(f"{len(models)} programs", "one, saved by torch.export.save of torch 2.8 or later")
        model = models[0].removeprefix(_MODELS).removesuffix(".json")
        program = json.loads(self._bytes(models[0]))
        version = program["schema_version"]["major"]
        if version != _SCHEMA:
            raise self._refusal(f"a program of schema {version}", f"schema {_SCHEMA}")
        weights = self._config(f"{_WEIGHTS}{model}_weights_config.json")
        constants = self._config(f"{_CONSTANTS}{model}_constants_config.json")
        metas = [entry["tensor_meta"] for entry in (*weights.values(), *constants.values())]
        elements = sum(math.prod(_integers(meta["sizes"])) for meta in metas if meta is not None)
        read = elements <= _LARGEST
        return ExportedArchive(
            graph_module=program["graph_module"],
            state=dict(self._tensors(weights, _WEIGHTS, read=read)),
            constants=dict(self._tensors(constants, _CONSTANTS, read=read)),
        )

    def _config(self, name: str) -> dict[str, Any]:
        config: dict[str, Any] = json.loads(self._bytes(name))["config"]
        return config

    def _tensors(self, config: dict[str, Any], folder: str, *, read: bool) -> Iterator[tuple[str, torch.Tensor]]:
        """Each tensor once: names that share all of one are ties."""
        made: dict[str, torch.Tensor] = {}
        for name, entry in config.items():
            path = folder + entry["path_name"]
            if not entry["path_name"].startswith(("weight_", "tensor_")):
                raise self._refusal(f"an object of a class in '{name}'", "tensors alone, for no code of it is run")
            same = json.dumps(entry, sort_keys=True)
            if same not in made:
                made[same] = self._tensor(path, entry, read=read)
            yield name, made[same]

    def _tensor(self, path: str, entry: dict[str, Any], *, read: bool) -> torch.Tensor:
        meta = entry["tensor_meta"]
        if entry["use_pickle"]:
            loaded = load_weights_only(io.BytesIO(self._bytes(path)), self._file)
            if not isinstance(loaded, torch.Tensor):
                raise self._refusal(f"{type(loaded).__name__} in {path}", "a tensor")
            return loaded
        kind, sizes, strides = DTYPES[meta["dtype"]], _integers(meta["sizes"]), _integers(meta["strides"])
        if read:
            data = bytearray(self._bytes(path))
            flat = torch.frombuffer(data, dtype=kind) if data else torch.empty(0, dtype=kind)
            tensor = flat.as_strided(sizes, strides, meta["storage_offset"]["as_int"])
        else:
            tensor = torch.empty_strided(sizes, strides, dtype=kind, device="meta")
        return torch.nn.Parameter(tensor, requires_grad=meta["requires_grad"]) if entry["is_param"] else tensor

    def _bytes(self, name: str) -> bytes:
        info = self._archive.getinfo(self._members[name])
        if info.compress_type != ZIP_STORED:
            # Torch stores members as they are; one that unpacks to more than the file is not its work.
            raise self._refusal(f"a compressed {name}", "members stored as they are")
        return self._archive.read(info)

    def _refusal(self, got: str, need: str) -> CaptureError:
        return CaptureError(f"{self._file}: got {got}, need {need}; try a factory that builds its torch module")


def _integers(sizes: list[dict[str, int]]) -> list[int]:
    return [size["as_int"] for size in sizes]
