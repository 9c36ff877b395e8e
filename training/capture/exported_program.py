"""A ``.pt2`` file as a network to capture: its inputs, its batch, and the mode that it was exported in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ...configs.errors import CaptureError
from ..input_shape import InputShape, InputType
from .exported_archive import DAMAGES, DTYPES, damaged, read_archive
from .exported_module import ExportedNetwork, input_places
from .network_source import NetworkSource

_SYMBOL = re.compile(r"(?:Symbol\(')?([A-Za-z]\w*)(?:'(?:, \w+=\w+)*\))?")
"""An extent that is a symbol alone, as torch 2.13 and as earlier ones write it."""

_FLOATING: dict[torch.dtype, InputType] = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}
_NORMALISATION = re.compile(
    r"torch\.ops\.aten\.(batch_norm|instance_norm|_native_batch_norm\w*|native_batch_norm)\.\w+"
)
_DROPOUT = re.compile(r"torch\.ops\.aten\.(\w*dropout)_?\.\w+")
_KNOWN_STATISTICS = "torch.ops.aten._native_batch_norm_legit_no_training.default"


def exported_program(file: Path) -> NetworkSource:
    """The network of a ``.pt2`` file, which says its inputs itself.

    A batch that is symbolic is any; without one it is the extent of the first axis, which the program has for good.

    Raises:
        CaptureError: see ``read_archive``; or it takes what are no tensors, or runs what are none of torch's operators.
    """
    archive = read_archive(file)
    try:
        network = ExportedNetwork(archive)
        graph = archive.graph_module["graph"]
        tensors = [_Input.of(path, graph["tensor_values"][name]) for name, path in input_places(network).items()]
        batch, inputs = _batch_and_inputs(tensors)
        notes = (*_notes(graph["nodes"]), *_fixed_note(tensors, inputs))
    except CaptureError as error:
        raise CaptureError(f"{file}: {error}") from error
    except DAMAGES as error:
        raise damaged(file, error) from error
    return NetworkSource(
        make=network, name=file.stem, inputs=inputs, batch=batch, file=file, notes=notes, layered=False
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Input:
    """An input of a program.

    Attributes:
        name: as ``InputShape`` has it.
        extents: of its example.
        symbols: the symbol of each extent; None where it is fixed, empty where it is more than a symbol.
        dtype: of its elements.
    """

    name: str
    extents: tuple[int, ...]
    symbols: tuple[str | None, ...]
    dtype: torch.dtype

    @classmethod
    def of(cls, path: Sequence[str], meta: Mapping[str, Any]) -> _Input:
        """The input of a place in a call, from its tensor's description."""
        sizes = [_size(size) for size in meta["sizes"]]
        return cls(
            name="" if len(path) == 1 and path[0].isdecimal() else ".".join(path),
            extents=tuple(extent for extent, _ in sizes),
            symbols=tuple(symbol for _, symbol in sizes),
            dtype=DTYPES[meta["dtype"]],
        )

    def shape(self, batch_axis: int | None) -> InputShape:
        """The same without its batch."""
        integer = not self.dtype.is_floating_point and not self.dtype.is_complex
        return InputShape(
            tuple(extent for axis, extent in enumerate(self.extents) if axis != batch_axis),
            integer=integer,
            precision=None if integer else _FLOATING.get(self.dtype),
            name=self.name,
            batch_axis=batch_axis,
        )


def _size(size: Mapping[str, Any]) -> tuple[int, str | None]:
    """An extent of the example, and its symbol."""
    if "as_int" in size:
        return size["as_int"], None
    symbol = _SYMBOL.fullmatch(size["as_expr"]["expr_str"])
    return size["as_expr"]["hint"]["as_int"], symbol[1] if symbol else ""


def _batch_and_inputs(tensors: Sequence[_Input]) -> tuple[int | None, tuple[InputShape, ...]]:
    """The batch that the program has for good, if it has one; and its inputs without it."""
    symbol = _batch_symbol(tensors)
    if symbol is not None:
        axes = [each.symbols.index(symbol) if symbol in each.symbols else None for each in tensors]
        return None, tuple(each.shape(axis) for each, axis in zip(tensors, axes, strict=True))
    batch = next((each.extents[0] for each in tensors if each.extents), 1)
    return batch, tuple(each.shape(0 if each.extents[:1] == (batch,) else None) for each in tensors)


def _batch_symbol(tensors: Sequence[_Input]) -> str | None:
    """The symbol that a first axis has, or else any axis; None where it would be in an input twice."""
    first = [each.symbols[0] for each in tensors if each.symbols and each.symbols[0]]
    others = [symbol for each in tensors for symbol in each.symbols if symbol]
    fixed_first = any(each.symbols and each.symbols[0] is None and each.extents[0] > 1 for each in tensors)
    candidates = first or ([] if fixed_first else others)
    symbol = candidates[0] if candidates else None
    return symbol if all(each.symbols.count(symbol) <= 1 for each in tensors) else None


def _fixed_note(tensors: Sequence[_Input], inputs: Sequence[InputShape]) -> Iterator[str]:
    """A sentence where extents other than the batch may vary and were taken from the example."""
    varied = [
        str(shape)
        for each, shape in zip(tensors, inputs, strict=True)
        if any(symbol is not None for axis, symbol in enumerate(each.symbols) if axis != shape.batch_axis)
    ]
    if varied:
        yield f"Extents that the program leaves open are its example's: {', '.join(varied)}; --input says others."


def _notes(nodes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A sentence where the program says that it was exported in evaluation mode."""
    told = []
    if any(_NORMALISATION.fullmatch(node["target"]) and _is_evaluating(node) for node in nodes):
        told.append("its normalisations use known statistics")
    if any(_DROPOUT.fullmatch(node["target"]) and _is_evaluating(node) for node in nodes):
        told.append("its dropout does nothing")
    if told:
        yield f"The program was exported in evaluation mode: {' and '.join(told)}, in a training step too."


def _is_evaluating(node: Mapping[str, Any]) -> bool:
    modes = {"training", "train", "use_input_stats"}
    said = [each["arg"].get("as_bool") for each in node["inputs"] if each["name"] in modes]
    return said == [False] or node["target"] == _KNOWN_STATISTICS
