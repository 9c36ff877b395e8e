"""What a capture starts from where it is given an ONNX file: the network, its inputs, its batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch

from ....configs.errors import CaptureError
from ...input_shape import InputShape, InputType
from ..network_source import NetworkSource
from .graph import Document
from .network import OnnxNetwork
from .reading import read_document
from .weights import Weights, torch_type, weights_of

_PRECISIONS: dict[torch.dtype, InputType] = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}

_LEARNS_NOTE = "An ONNX file does not say what learns: every floating initialiser with an axis is taken to."


def onnx_source(file: Path) -> NetworkSource:
    """The network of a file.

    Raises:
        CaptureError: it cannot be read, or has an operator without a rule.
    """
    document = read_document(file)
    weights = weights_of(document)

    def network() -> torch.nn.Module:
        return OnnxNetwork(document, weights)

    network.__qualname__ = str(file)
    declared = [_Declared.of(document, each) for each in document.declared]
    inputs, batch, unsaid = _inputs(declared)
    return NetworkSource(
        make=network,
        name=file.stem,
        inputs=inputs,
        batch=batch,
        unsaid=unsaid,
        file=file,
        layered=False,
        notes=tuple(_notes(weights)),
        training_notes=(_LEARNS_NOTE,),
    )


def _notes(weights: Weights) -> Iterator[str]:
    if weights.in_few_bits:
        yield (
            f"{weights.in_few_bits} of its initialisers are in few bits: they are captured as the floating weights "
            "that they stand for."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Declared:
    """An input as the file has it.

    Attributes:
        name: of the value.
        extents: a number each; its symbol, empty where it has none, of one that is left open.
        kind: torch's type.
    """

    name: str
    extents: tuple[int | str, ...] | None
    kind: torch.dtype

    @classmethod
    def of(cls, document: Document, proto: Any) -> _Declared:
        """Read it; one that is no tensor is refused."""
        if proto.type.WhichOneof("value") != "tensor_type":
            got = proto.type.WhichOneof("value") or "no type"
            raise CaptureError(
                f"{document.file}: input '{proto.name}': got {got}, need a tensor; try exporting it again"
            )
        tensor = proto.type.tensor_type
        if tensor.elem_type not in onnx.TensorProto.DataType.values() or not tensor.elem_type:
            raise CaptureError(f"{document.file}: input '{proto.name}': got no element type, need one")
        if tensor.elem_type == onnx.TensorProto.STRING:
            raise CaptureError(f"{document.file}: input '{proto.name}': got strings, need numbers")
        extents: tuple[int | str, ...] | None = None
        if tensor.HasField("shape"):
            extents = tuple(dim.dim_value if dim.dim_value > 0 else str(dim.dim_param) for dim in tensor.shape.dim)
        return cls(name=proto.name, extents=extents, kind=torch_type(tensor.elem_type))

    def shape(self, batch_axis: int | None) -> InputShape:
        """The same without its batch; all other extents are numbers."""
        assert self.extents is not None, "asked of inputs that say their extents"
        rest = (extent for axis, extent in enumerate(self.extents) if axis != batch_axis)
        return InputShape(
            tuple(int(extent) for extent in rest),
            integer=not self.kind.is_floating_point,
            precision=_PRECISIONS.get(self.kind),
            batch_axis=batch_axis,
        )

    def __str__(self) -> str:
        if self.extents is None:
            return f"'{self.name}' has no shape"
        shown = "x".join(str(extent) if extent != "" else "?" for extent in self.extents)
        return f"'{self.name}' is {shown or 'one number'}"


def _inputs(declared: list[_Declared]) -> tuple[tuple[InputShape, ...] | None, int | None, str]:
    """The inputs that a file says it takes, the one batch at which it runs, and what it leaves unsaid."""
    axes = [_batch_axis(each, _batch_symbols(declared)) for each in declared]
    open_ones = [each for each, axis in zip(declared, axes, strict=True) if not _is_told(each, axis)]
    if open_ones:
        return None, None, ", ".join(map(str, open_ones))
    if any(axis is not None for axis in axes):
        return tuple(each.shape(axis) for each, axis in zip(declared, axes, strict=True)), None, ""
    leading = {each.extents[0] if each.extents else None for each in declared}
    (first, *others) = leading or {None}
    if isinstance(first, int) and not others:
        return tuple(each.shape(0) for each in declared), first, ""
    return tuple(each.shape(None) for each in declared), 1, ""


def _is_told(declared: _Declared, batch_axis: int | None) -> bool:
    extents = declared.extents
    return extents is not None and all(
        isinstance(extent, int) or axis == batch_axis for axis, extent in enumerate(extents)
    )


def _batch_symbols(declared: list[_Declared]) -> frozenset[str]:
    """What the batch is called: the symbols in front; where none is, those that speak of it."""
    symbols = [
        [(axis, each) for axis, each in enumerate(one.extents or ()) if isinstance(each, str)] for one in declared
    ]
    leading = {symbol for each in symbols for axis, symbol in each if axis == 0}
    spoken = {symbol for each in symbols for _, symbol in each if "batch" in symbol.lower() or symbol in {"N", "B"}}
    return frozenset(leading or spoken)


def _batch_axis(declared: _Declared, batch: frozenset[str]) -> int | None:
    """Where samples lie; None where an input has none."""
    found = (axis for axis, extent in enumerate(declared.extents or ()) if isinstance(extent, str) and extent in batch)
    return next(found, None)
