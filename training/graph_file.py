"""Training graphs as JSON files: readable, versioned, canonical (the same graph, the same bytes). Free of torch.

A ``Size`` is a bare integer when the batch does not change it, else ``[fixed, per_sample]``, or with a third number the
samples for which that is. One tensor or operator a
line, so that a difference between two files reads as a list of operators. Tensors are sorted by name; operators stand
in execution order, which is part of what the graph says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..configs.errors import ConfigError
from ..configs.file_kinds import GRAPH, refuse_other_kind
from ..configs.file_reading import read_file
from ..configs.strict_json import parse_json
from ..configs.strict_yaml import parse_text
from ..configs.whole_file import write_whole
from .graph import Convolution, Geometry, MatrixProduct, Operator, Size, Tensor, TrainingGraph, UnknownOperator
from .graph_fault import GraphFormatError
from .graph_reading import GraphReader

SCHEMA_VERSION = 1


def save_graph(graph: TrainingGraph, path: Path | str) -> None:
    """Write a graph; the folder is made when it is missing.

    Raises:
        ConfigError: the file cannot be written.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, graph_text(graph))
    except OSError as error:
        raise ConfigError(
            f"{target}: got {error.strerror}, need a file that can be written; try another --out"
        ) from error


def load_graph(path: Path | str) -> TrainingGraph:
    """Read a graph.

    Raises:
        ConfigError: the file is missing, is no JSON, or has a field that is missing, unknown or of the wrong type.
    """
    source = Path(path)
    try:
        text = read_file(source, need="a captured graph; try bisparse capture").decode()
    except UnicodeDecodeError as error:
        refuse_other_kind(source, GRAPH)
        raise ConfigError(f"{source}: got an unreadable file, need JSON text; try bisparse capture") from error
    try:
        document = parse_json(text, file=source, pairs=_without_duplicates)
    except json.JSONDecodeError as error:
        refuse_other_kind(source, GRAPH)
        raise ConfigError(
            f"{source}:{error.lineno}: got invalid JSON ({error.msg}), need a captured graph; try bisparse capture"
        ) from error
    except _DuplicateKeyError:
        # The strict reader of YAML, which JSON is, says where; it is slow.
        parse_text(text, file=str(source))
        raise AssertionError("the strict reader refuses every key that stands twice") from None
    try:
        return GraphReader(SCHEMA_VERSION).graph(document)
    except GraphFormatError as fault:
        refuse_other_kind(source, GRAPH)
        raise ConfigError(f"{_place(source, text, fault.where)}: {fault}") from None


class _DuplicateKeyError(Exception):
    """A key stands twice in one object."""


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _DuplicateKeyError
    return found


def _place(file: Path, text: str, where: str) -> str:
    """File and line of a value such as ``operators[3].inputs``, or of what is nearest around it.

    The file is read again, as YAML, which JSON is: slow, and only done for a message.
    """
    path = tuple(int(step) if step.isdecimal() else step for step in re.findall(r"[^.\[\]]+", where))
    try:
        return str(parse_text(text, file=str(file)).place_of(path))
    except ConfigError:
        return str(file)


def graph_text(graph: TrainingGraph) -> str:
    """The file's text."""
    head: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "name": graph.name,
        "source": graph.source,
        "default_batch": graph.default_batch,
        "counted_macs": {key: _size(graph.counted_macs[key]) for key in sorted(graph.counted_macs)},
    }
    told = {"dense_in_training": list(graph.dense_in_training), "notes": list(graph.notes)}
    head |= {key: value for key, value in told.items() if value} | ({"fixed_batch": True} if graph.fixed_batch else {})
    lines = [f"  {json.dumps(key)}: {_compact(value)}," for key, value in head.items()]
    lines += _block("tensors", [_tensor(graph.tensors[name]) for name in sorted(graph.tensors)])
    lines += _block("operators", [_operator(operator) for operator in graph.operators])
    lines += _block("unknown", [_unknown(operator) for operator in graph.unknown])
    return "{\n" + "\n".join(lines).removesuffix(",") + "\n}\n"


def _block(name: str, records: list[dict[str, Any]]) -> list[str]:
    if not records:
        return [f'  "{name}": [],']
    rows = ",\n".join(f"    {_compact(record)}" for record in records)
    return [f'  "{name}": [', rows, "  ],"]


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(", ", ": "), ensure_ascii=False)


def _size(size: Size) -> int | list[int]:
    if not size.per_sample:
        return size.fixed
    return [size.fixed, size.per_sample] if size.samples == 1 else [size.fixed, size.per_sample, size.samples]


def _tensor(tensor: Tensor) -> dict[str, Any]:
    record: dict[str, Any] = {
        "name": tensor.name,
        "shape": [_size(extent) for extent in tensor.shape],
        "role": tensor.role,
    }
    return record | ({"integer": True} if tensor.integer else {})


def _operator(operator: Operator) -> dict[str, Any]:
    record: Mapping[str, Any] = {
        "name": operator.name,
        "kind": operator.kind,
        "stage": operator.stage.value,
        "module": operator.module,
        "inputs": list(operator.inputs),
        "outputs": list(operator.outputs),
        "geometry": None if operator.geometry is None else _geometry(operator.geometry),
        "parameter": operator.parameter,
        "elements": _size(operator.elements) or None,
    }
    return {key: value for key, value in record.items() if value is not None}


def _geometry(geometry: Geometry) -> dict[str, Any]:
    if isinstance(geometry, MatrixProduct):
        sides = {"m": geometry.m, "n": geometry.n, "k": geometry.k, "count": geometry.count}
        record: dict[str, Any] = {
            key: _size(size) for key, size in sides.items() if key != "count" or size != Size(fixed=1)
        }
        assert geometry.scores is None, "patterns of scores are of a simulation, not of a file"
        groups = {"grouped": geometry.grouped, "loads": list(geometry.loads)}
        causal = {"causal": list(geometry.causal)} if geometry.causal is not None else {}
        return record | (groups if geometry.grouped is not None else {}) | causal
    return _convolution(geometry)


def _convolution(shape: Convolution) -> dict[str, Any]:
    record: dict[str, Any] = {
        "batch": _size(shape.batch),
        "groups": shape.groups,
        "in_channels": shape.in_channels,
        "out_channels": shape.out_channels,
        "input_size": list(shape.input_size),
        "output_size": list(shape.output_size),
        "kernel": list(shape.kernel),
        "stride": list(shape.stride),
        "padding": list(shape.padding),
        "dilation": list(shape.dilation),
    }
    return record | ({"transposed": True} if shape.transposed else {})


def _unknown(operator: UnknownOperator) -> dict[str, Any]:
    return {
        "name": operator.name,
        "module": operator.module,
        "shapes": [list(shape) for shape in operator.shapes],
    }
