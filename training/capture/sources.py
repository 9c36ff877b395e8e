"""What a capture can start from: a factory, or a file that holds a network. Each way in is one reader.

A file says more than a factory: which inputs the network takes, and at which batch where it runs at one alone.
"""

from __future__ import annotations

from pathlib import Path

from ...configs.errors import CaptureError, ConfigError
from ...configs.file_kinds import HUGGING_FACE, looks_like
from ...configs.needs import check_package
from .factories import load_factory
from .network_source import NetworkSource

CONFIGURATION = "config.json"
"""What a folder of a Hugging Face model holds."""


def find_source(path: str, search_path: Path | str | None = None) -> NetworkSource:
    """The network of a path as the command line gives it.

    Args:
        path: ``package.module:factory`` or ``FILE.py:factory``; a ``.pt2`` file of ``torch.export.save``;
            an ``.onnx`` file; a Hugging Face ``config.json``, or the folder that holds it.
        search_path: folder looked in first; the working directory when None.

    Raises:
        CaptureError: it names none, or one that cannot be read.
    """
    file = Path(search_path or "") / path
    if file.suffix.lower() == ".pt2":
        from .exported_program import exported_program

        return exported_program(file)
    if file.suffix.lower() == ".onnx":
        return _onnx(file)
    kind = looks_like(file) if file.is_file() else None
    if kind is HUGGING_FACE or (file / CONFIGURATION).is_file():
        from .hugging_face import hugging_face

        return hugging_face(file)
    if kind is not None:
        raise CaptureError(f"{path}: got {kind.name}, need a network; {kind.advice.format(file=path)}")
    made = load_factory(path, search_path)
    return NetworkSource(make=made, name=path.rpartition(":")[2].rpartition(".")[2])


def _onnx(file: Path) -> NetworkSource:
    if not file.is_file():
        raise CaptureError(f"{file}: got no such file, need one")
    try:
        check_package("onnx", str(file), extra="onnx")
    except ConfigError as error:
        raise CaptureError(str(error)) from None
    from .onnx_files import onnx_source

    return onnx_source(file)
