"""Which initialisers learn, which are kept, which are known; and their data, read when they are asked for.

A file does not say what its exporter trained. A floating initialiser with an axis learns, but for running statistics of
a normalisation, for operands that are settings (the bounds of a clip, the scales of a resize) and for single numbers
that no bias is. An initialiser in few bits that is made floating at once (``DequantizeLinear``) learns as what it
stands for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy
import onnx
import torch
from onnx import numpy_helper

from ....configs.errors import CaptureError
from .graph import Document, Node
from .names import legal, made_up, role_of

_KNOWN_UP_TO = 1 << 12
"""Elements of an integer initialiser that may say extents; a longer one is a table."""

_SETTINGS: dict[str, frozenset[int]] = {
    "Clip": frozenset({1, 2}),
    "Pad": frozenset({2}),
    "Pow": frozenset({1}),
    "Resize": frozenset({1, 2}),
    "Upsample": frozenset({1}),
    "Dropout": frozenset({1}),
    "OneHot": frozenset({2}),
    "Range": frozenset({0, 1, 2}),
    "QuantizeLinear": frozenset({1, 2}),
    "DequantizeLinear": frozenset({1, 2}),
}
"""Operands whose values say how an operator works."""

_STATISTICS = frozenset({3, 4})
"""Operands of a batch normalisation that it keeps count of by itself."""

_ON_NUMBERS = frozenset({"Add", "Sub", "Mul", "Div", "Max", "Min", "Where", "Equal", "Less", "Greater", "Sum"})
_PRODUCTS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})


class Role(Enum):
    """What becomes of an initialiser."""

    PARAMETER = "parameter"
    BUFFER = "buffer"
    KNOWN = "known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """An initialiser and what becomes of it.

    Attributes:
        value: name of the value that it is read as.
        path: of the parameter or buffer, as torch takes it.
        role: what becomes of it.
        tensor: its protobuf.
        scale: of a weight in few bits, what it is multiplied by; None of any other.
        zero_point: likewise, what is taken off before.
        axis: along which those lie.
        folder: where data outside of the file lie.
        where: file and initialiser, as errors have them.
    """

    value: str
    path: str
    role: Role
    tensor: Any
    scale: Any = None
    zero_point: Any = None
    axis: int = 1
    folder: Path
    where: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Its extents."""
        return tuple(self.tensor.dims)

    def without_data(self) -> torch.Tensor:
        """A tensor of its extents and type on the meta device."""
        kind = self.tensor if self.scale is None else self.scale
        return torch.empty(self.shape, dtype=torch_type(kind.data_type), device="meta")

    def with_data(self) -> torch.Tensor:
        """The same with its data, on the CPU.

        Raises:
            CaptureError: they cannot be read.
        """
        read = self._read(self.tensor)
        if self.scale is None:
            return read
        scale = self._read(self.scale)
        along = [-1 if at == self.axis % max(1, read.dim()) else 1 for at in range(read.dim())]
        zero = self._read(self.zero_point) if self.zero_point is not None else torch.zeros((), dtype=scale.dtype)
        if scale.numel() > 1:
            scale, zero = scale.reshape(along), zero.reshape(along if zero.numel() > 1 else [1] * read.dim())
        return (read.to(scale.dtype) - zero.to(scale.dtype)) * scale

    def _read(self, tensor: Any) -> torch.Tensor:
        try:
            return torch_tensor(tensor, self.folder)
        except Exception as error:
            told = str(error).strip().partition("\n")[0]
            raise CaptureError(
                f"{self.where}: got data that cannot be read: {told}, need such as onnx writes"
            ) from None


def torch_type(element_type: int) -> torch.dtype:
    """Torch's type of ONNX's; integers in a few bits in bytes, floating numbers in fewer than 16 bits as FP32."""
    name = onnx.TensorProto.DataType.Name(element_type).lower()
    by_name = {
        "float": "float32",
        "double": "float64",
        "uint4": "uint8",
        "int4": "int8",
        "uint2": "uint8",
        "int2": "int8",
    }
    # Torch's arithmetic stops short of these; what they hold are extents, indices and colours.
    by_name |= {"uint16": "int32", "uint32": "int64", "uint64": "int64"}
    found = getattr(torch, by_name.get(name, name), None)
    wide = not name.startswith("float8")
    return found if isinstance(found, torch.dtype) and wide else torch.float32


def torch_tensor(tensor: Any, folder: Path | None = None) -> torch.Tensor:
    """The data of a protobuf tensor; those outside of its file are read from a folder."""
    array = numpy_helper.to_array(tensor, base_dir=str(folder or ""))
    kind = torch_type(tensor.data_type)
    if array.dtype.kind not in "biuf" or array.dtype.itemsize < kind.itemsize or array.dtype.kind == "V":
        array = array.astype(numpy.float32 if kind.is_floating_point else numpy.int64)
    elif array.dtype in (numpy.uint16, numpy.uint32, numpy.uint64):
        array = array.astype(numpy.int64)
    return torch.from_numpy(numpy.array(array, order="C")).to(kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Initialisers of a document, and the nodes that remain where some are read as what was made of them.

    Attributes:
        each: of them.
        folded: outputs of the nodes that are gone.
        in_few_bits: how many were made floating.
    """

    each: tuple[Weight, ...]
    folded: frozenset[str]
    in_few_bits: int


def weights_of(document: Document) -> Weights:
    """Sort the initialisers of a document."""
    readers: dict[str, list[tuple[Node, int]]] = {}
    makers: dict[str, str] = {}
    for node in document.graph.all_nodes():
        makers.update(dict.fromkeys(node.outputs, node.kind))
        for position, name in enumerate(node.inputs):
            readers.setdefault(name, []).append((node, position))
    found, folded, few, taken = [], set(), 0, dict[str, bool]()
    for name, tensor in document.tensors.items():
        uses = list(_readers_of(name, readers))
        if not uses and name not in document.graph.outputs:
            continue
        value, scale, zero, axis = name, None, None, 1
        quantised = _dequantised(uses, document)
        if quantised is not None:
            node, scale, zero = quantised
            value, axis, few = node.outputs[0], int(node.attributes.get("axis", 1)), few + 1
            folded.add(value)
            uses = list(_readers_of(value, readers))
        role = Role.PARAMETER if quantised is not None else _role(tensor, uses, makers)
        found.append(
            Weight(
                value=value,
                path=_free(_path(name, uses), taken),
                role=role,
                tensor=tensor,
                scale=scale,
                zero_point=zero,
                axis=axis,
                folder=document.file.parent,
                where=f"{document.file}: initialiser '{name}'",
            )
        )
    return Weights(each=tuple(found), folded=frozenset(folded), in_few_bits=few)


def _readers_of(name: str, readers: dict[str, list[tuple[Node, int]]]) -> Iterator[tuple[Node, int]]:
    """Who reads a value, under its name or another: exporters keep equal weights once, behind an ``Identity``."""
    for node, position in readers.get(name, []):
        if node.key == "Identity":
            yield from _readers_of(node.outputs[0], readers)
        else:
            yield node, position


def _dequantised(uses: list[tuple[Node, int]], document: Document) -> tuple[Node, Any, Any] | None:
    """The node that makes an initialiser floating, with its scale and zero point; None where none does."""
    if len(uses) != 1:
        return None
    ((node, position),) = uses
    if node.key != "DequantizeLinear" or position or node.attributes.get("block_size"):
        return None
    names = [name for name in node.inputs[1:3] if name]
    if not all(name in document.tensors for name in names):
        return None
    scale, *zero = (document.tensors[name] for name in names)
    return node, scale, zero[0] if zero else None


def _role(tensor: Any, uses: list[tuple[Node, int]], makers: dict[str, str]) -> Role:
    elements = int(numpy.prod(tensor.dims, dtype=object)) if tensor.dims else 1
    if not torch_type(tensor.data_type).is_floating_point:
        return Role.KNOWN if elements <= _KNOWN_UP_TO else Role.BUFFER
    if all(node.kind == "BatchNormalization" and at in _STATISTICS for node, at in uses):
        return Role.BUFFER
    if all(at in _SETTINGS.get(node.kind, ()) for node, at in uses) or not tensor.dims:
        return Role.KNOWN
    if elements == 1 and all(node.kind in _ON_NUMBERS and not _is_bias(node, at, makers) for node, at in uses):
        return Role.KNOWN
    return Role.PARAMETER


def _is_bias(node: Node, position: int, makers: dict[str, str]) -> bool:
    """Whether an operand is added to a product."""
    others = (name for at, name in enumerate(node.inputs) if at != position)
    return node.kind == "Add" and any(makers.get(name) in _PRODUCTS for name in others)


def _path(name: str, uses: list[tuple[Node, int]]) -> str:
    """Where a parameter stands: under its own name, or where nobody gave it one, at its first reader."""
    if uses and made_up(name):
        node, position = uses[0]
        return legal(f"{node.scope}.{role_of(node.kind, position)}")
    return legal(name) or "initialiser"


def _free(path: str, taken: dict[str, bool]) -> str:
    """A path that no parameter has, nor any on the way to it; ``taken`` says of each path whether it is a parameter's.

    >>> taken = {}
    >>> [_free(path, taken) for path in ("a", "b.c", "a.d", "b", "b.c")]
    ['a', 'b.c', 'a_d', 'b_', 'b.c_']
    """
    if any(taken.get(prefix) for prefix in _prefixes(path)[:-1]):
        path = path.replace(".", "_")
    while path in taken:
        path += "_"
    taken.update(dict.fromkeys(_prefixes(path), False) | {path: True})
    return path


def _prefixes(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]
