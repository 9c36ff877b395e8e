"""Captured graphs kept between runs, found again by content.

An entry is named by a hash of what went in: versions, the factory's path, inputs, loss, the module as it prints itself
and the shape of every parameter and buffer. Beside the graph stands the list of every Python file that was loaded when
it was captured; the entry counts only while each of them is unchanged, so an edited model, layer or package is captured
again. Files of installed packages are compared by size and time, the user's own by content; the standard library and
torch by version. What no file shows (environment variables, data read by a factory) counts only as far as it changes
the printed module or its shapes: pass no cache when a model depends on more.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import torch

from ...configs.cache_folder import cache_folder
from ...configs.errors import ConfigError
from ...configs.file_reading import read_file
from ...configs.strict_json import parse_json
from ...configs.whole_file import write_whole
from ..graph import TrainingGraph
from ..graph_file import load_graph, save_graph


def module_fingerprint(module: torch.nn.Module) -> list[str]:
    """What can be seen of a module from outside: how it prints, and its tensors."""
    tensors = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    first_names: dict[int, str] = {}
    lines = [
        f"{name} {tuple(tensor.shape)} {tensor.dtype} {tensor.requires_grad} {first_names.setdefault(id(tensor), name)}"
        for name, tensor in tensors
    ]
    return [repr(module), *lines]


class GraphCache:
    """A folder of captured graphs; without a folder, one that is always empty."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder if folder is not None else cache_folder("graphs")

    def key(self, module: torch.nn.Module, *asked: object) -> str:
        """The name of the entry for a module and everything else that was asked for; a file counts by its content."""
        files = [_stamp(thing) for thing in asked if isinstance(thing, Path)]
        said = [torch.__version__, platform.python_version(), *files, *(repr(thing) for thing in asked)]
        text = json.dumps([*said, *module_fingerprint(module)])
        return hashlib.sha256(text.encode()).hexdigest()

    def get(self, key: str) -> TrainingGraph | None:
        """The graph, unless there is none or a file behind it has changed."""
        if self.folder is None:
            return None
        try:
            sources = parse_json(read_file(self._sources(key), need="an entry"), file=self._sources(key))
            if not all(_stamp(Path(path)) == stamp for path, stamp in sources.items()):
                return None
            return load_graph(self._graph(key))
        except (OSError, ValueError, AttributeError, ConfigError):
            # A cache that cannot be read is a cache that is empty.
            return None

    def put(self, key: str, graph: TrainingGraph) -> None:
        """Keep a graph, with the files it was captured from; a folder that cannot be written to is left alone."""
        if self.folder is None:
            return
        stamps = {str(path): _stamp(path) for path in sorted(set(_loaded_files()))}
        with suppress(OSError, ConfigError):
            self.folder.mkdir(parents=True, exist_ok=True)
            save_graph(graph, self._graph(key))
            # Last, because an entry without its sources is no entry.
            write_whole(self._sources(key), json.dumps(stamps, indent=0))

    def _graph(self, key: str) -> Path:
        assert self.folder is not None, "asked for an entry, there is a folder"
        return self.folder / f"{key}.json"

    def _sources(self, key: str) -> Path:
        assert self.folder is not None, "asked for an entry, there is a folder"
        return self.folder / f"{key}.sources"


@functools.cache
def _folders(*kinds: str) -> tuple[str, ...]:
    """The folders of this Python, as the start of a path in them."""
    return tuple({sysconfig.get_path(kind) + os.sep for kind in kinds})


def _installed() -> tuple[str, ...]:
    return _folders("purelib", "platlib")


def _loaded_files() -> Iterator[Path]:
    """Every loaded Python file but the standard library's and torch's, which their versions stand for."""
    packages = _installed()
    standard = _folders("stdlib", "platstdlib")
    torch_folder = str(Path(torch.__file__).parent) + os.sep
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not file.endswith(".py") or file.startswith(torch_folder):
            continue
        if file.startswith(packages) or not file.startswith(standard):
            yield Path(file)


def _stamp(path: Path) -> str:
    """What tells one state of a file from another; empty when it is gone."""
    try:
        if str(path).startswith(_installed()):
            state = path.stat()
            return f"{state.st_size} {state.st_mtime_ns}"
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
