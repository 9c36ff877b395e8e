"""From the bytes of a file to its nodes; what is damaged is told in one line. Weights are left unread."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import onnx

from ....configs.errors import CaptureError
from .graph import Document, Graph, Node
from .names import Scopes
from .rules import check_known

_SCOPES = "pkg.torch.onnx.name_scopes"
"""Where torch's newer exporter writes the modules that a node stands in."""

_WEIGHT_PLACES = {"Conv": 1, "ConvTranspose": 1, "Gemm": 1, "MatMul": 1}
"""Operands that are weights wherever a file keeps them; older exporters had them in ``Constant`` nodes."""


def read_document(file: Path) -> Document:
    """Read a file.

    Raises:
        CaptureError: it is none of ONNX, damaged, or has an operator without a rule.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise CaptureError(f"{file}: got {error.strerror or error}, need a file that can be read") from None
    model = _inlined(_parsed(file, content), file)
    reader = _Reader(file, model)
    graph = reader.graph(model.graph)
    _check_order(file, graph, set(reader.tensors))
    check_known(graph.all_nodes())
    for name, tensor in reader.tensors.items():
        _check_tensor(file, name, tensor)
    return Document(
        file=file,
        digest=hashlib.sha256(content).hexdigest(),
        graph=graph,
        tensors=reader.tensors,
        declared=tuple(each for each in model.graph.input if each.name in graph.inputs),
    )


def _parsed(file: Path, content: bytes) -> onnx.ModelProto:
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception:  # protobuf's own, of a package that has no types
        raise CaptureError(
            f"{file}: got a file that is damaged or none of ONNX, need one; try onnx.load on it"
        ) from None
    if not model.graph.node or not model.opset_import:
        raise CaptureError(f"{file}: got no operators, need the graph of a network; try exporting it again")
    return model


def _inlined(model: onnx.ModelProto, file: Path) -> onnx.ModelProto:
    """The same with each call of a function that the file itself defines replaced by what it does."""
    if not model.functions:
        return model
    from onnx.inliner import inline_local_functions

    try:
        return inline_local_functions(model)
    except Exception as error:
        raise CaptureError(f"{file}: got functions that cannot be inlined: {_first_line(error)}, need such") from None


class _Reader:
    """Nodes of a model and of the graphs inside it, and every tensor that it brings along."""

    def __init__(self, file: Path, model: onnx.ModelProto) -> None:
        _check_text(file, model.graph)
        self.tensors: dict[str, onnx.TensorProto] = {}
        self._file = file
        self._scopes = Scopes([tensor.name for tensor in model.graph.initializer])
        self._opsets = {_domain(each.domain): each.version for each in model.opset_import}

    def graph(self, proto: onnx.GraphProto) -> Graph:
        if proto.sparse_initializer:
            raise CaptureError(f"{self._file}: got sparse initialisers, need dense ones; try exporting them so")
        own = {tensor.name: tensor for tensor in proto.initializer}
        self.tensors.update(own)
        weights = {
            node.input[_WEIGHT_PLACES[node.op_type]]
            for node in proto.node
            if len(node.input) > _WEIGHT_PLACES.get(node.op_type, 99)
        }
        nodes = []
        for number, node in enumerate(proto.node):
            read = self._node(node, number)
            value = read.attributes.get("value")
            if node.op_type == "Constant" and isinstance(value, onnx.TensorProto) and weights.intersection(node.output):
                self.tensors[node.output[0]] = value
            else:
                nodes.append(read)
        return Graph(
            nodes=tuple(nodes),
            inputs=tuple(each.name for each in proto.input if each.name not in own),
            outputs=tuple(each.name for each in proto.output),
        )

    def _node(self, proto: onnx.NodeProto, number: int) -> Node:
        domain = _domain(proto.domain)
        called = proto.name or (proto.output[0] if proto.output else "") or str(number)
        where = f"{self._file}: node {called}"
        try:
            attributes = {each.name: self._attribute(each) for each in proto.attribute}
        except ValueError as error:
            raise CaptureError(f"{where}: got an attribute without a value ({error}), need one") from None
        return Node(
            kind=proto.op_type,
            domain=domain,
            opset=self._opsets.get(domain, 0),
            name=proto.name,
            inputs=tuple(proto.input),
            outputs=tuple(proto.output),
            attributes=attributes,
            scope=self._scopes.of(called, proto.op_type, tuple(proto.input), _exported_scope(proto)),
            where=where,
        )

    def _attribute(self, proto: onnx.AttributeProto) -> Any:
        value = onnx.helper.get_attribute_value(proto)
        if isinstance(value, onnx.GraphProto):
            _check_text(self._file, value)
            return self.graph(value)
        if isinstance(value, bytes):
            return _decoded(value)
        if proto.type == onnx.AttributeProto.STRINGS:
            return [_decoded(each) for each in value]
        return list(value) if proto.type in _LISTS else value


def _check_text(file: Path, graph: onnx.GraphProto) -> None:
    """Refuse names that are no text: protobuf hands them over as they are."""
    named = (*graph.initializer, *graph.input, *graph.output, *graph.node)
    names = {each.name for each in named}
    for node in graph.node:
        names.update((node.op_type, node.domain, *node.input, *node.output, *(each.name for each in node.attribute)))
    if not all(isinstance(name, str) and name.isprintable() for name in names):
        raise CaptureError(f"{file}: got a name that cannot be printed, need text; try exporting it again")


def _decoded(value: bytes) -> str:
    """A string of an attribute; what cannot be printed is told as such."""
    text = value.decode(errors="replace")
    return text if text.isprintable() else repr(text)


def _domain(name: str) -> str:
    """ONNX's own domain has two names."""
    return "" if name == "ai.onnx" else name


_LISTS = (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS)


def _exported_scope(proto: onnx.NodeProto) -> str | None:
    """The module that torch's newer exporter says a node stands in; None where nobody says."""
    for entry in proto.metadata_props:
        if entry.key == _SCOPES:
            try:
                scopes = ast.literal_eval(entry.value)
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                return None
            if isinstance(scopes, list) and len(scopes) > 1 and isinstance(scopes[-2], str):
                return scopes[-2]
    return None


def _check_order(file: Path, graph: Graph, known: set[str]) -> None:
    """Refuse a graph that reads a value before it is made, or that nobody makes."""
    made = {*known, *graph.inputs}
    later = {name for node in graph.nodes for name in node.outputs}
    for node in graph.nodes:
        for name in filter(None, _read_by(node)):
            if name in made:
                continue
            why = "made after it: nodes out of order, or a cycle" if name in later else "that nobody makes"
            raise node.error(f"got an input '{name}' {why}, need one that was made before; try exporting it again")
        made.update(node.outputs)
    for name in graph.outputs:
        if name not in made:
            raise CaptureError(f"{file}: got an output '{name}' that nobody makes, need one; try exporting it again")


def _read_by(node: Node) -> Iterator[str]:
    """Names that a node reads, those inside its graphs included."""
    yield from node.inputs
    for attribute in node.attributes.values():
        if isinstance(attribute, Graph):
            own = {*attribute.inputs}
            for inner in attribute.nodes:
                yield from (name for name in _read_by(inner) if name not in own)
                own.update(inner.outputs)


def _check_tensor(file: Path, name: str, tensor: onnx.TensorProto) -> None:
    """Refuse a tensor whose data are not there, or of another length than its extents say. They are not read."""
    where = f"{file}: initialiser '{name}'"
    try:
        item = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    except (KeyError, TypeError, ValueError):
        raise CaptureError(f"{where}: got element type {tensor.data_type}, need one that ONNX has") from None
    elements = 1
    for extent in tensor.dims:
        if extent < 0:
            raise CaptureError(f"{where}: got extents {list(tensor.dims)}, need none below 0")
        elements *= extent
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        _check_external(file, where, {str(entry.key): str(entry.value) for entry in tensor.external_data})
    elif not _packed(tensor):
        kept = len(tensor.raw_data) // item
        whole = len(tensor.raw_data) % item == 0
        if not tensor.raw_data:
            kept = len(getattr(tensor, onnx.helper.tensor_dtype_to_field(tensor.data_type)))
        if kept != elements or not whole:
            raise CaptureError(
                f"{where}: got data of {kept} elements for extents {list(tensor.dims)}, need {elements}; "
                "try exporting it again"
            )


def _packed(tensor: onnx.TensorProto) -> bool:
    """Whether several elements share a byte."""
    return onnx.TensorProto.DataType.Name(tensor.data_type) in {"INT4", "UINT4", "FLOAT4E2M1", "INT2", "UINT2"}


def _check_external(file: Path, where: str, entries: Mapping[str, str]) -> None:
    location = entries.get("location", "")
    beside = (file.parent / location).resolve()
    if not location or not beside.is_relative_to(file.parent.resolve()):
        raise CaptureError(f"{where}: got its data in '{location}', need a file beside the network's")
    numbers = [entries.get("offset", "0"), entries.get("length", "0")]
    if not all(number.isdecimal() for number in numbers):
        raise CaptureError(f"{where}: got its data at {' and '.join(numbers)}, need integers of at least 0")
    try:
        size = beside.stat().st_size
    except OSError:
        raise CaptureError(
            f"{where}: got no file {location} beside it, which holds its data; need it; try moving both together"
        ) from None
    if size < sum(map(int, numbers)):
        raise CaptureError(
            f"{where}: got {size} bytes in {location}, need {sum(map(int, numbers))}; try copying it again"
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
