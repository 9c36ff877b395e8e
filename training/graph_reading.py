"""Checking a graph's JSON document field by field while building the graph. Free of torch.

It is written to be fast: a graph has a thousand records, and every run of the command line reads one. Every message
names the place in the document, as ``operators[3].inputs``.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, get_args

from .graph import (
    Convolution,
    Geometry,
    MatrixAxis,
    MatrixProduct,
    Operator,
    Size,
    Stage,
    Tensor,
    TensorRole,
    TrainingGraph,
    UnknownOperator,
)
from .graph_consistency import (
    check_convolution,
    check_counts,
    check_kind,
    check_matrix_product,
    check_order,
    check_tensors,
)
from .graph_fault import GraphFormatError, refuse

_MATRIX_AXES = get_args(MatrixAxis)
_ROLES = frozenset(get_args(TensorRole))
_STAGES = {stage.value: stage for stage in Stage}
_ONE = Size(fixed=1)
_TOP = ("schema_version", "name", "source", "default_batch", "counted_macs", "tensors", "operators", "unknown")
_CONVOLUTION = (
    "batch",
    "groups",
    "in_channels",
    "out_channels",
    "input_size",
    "output_size",
    "kernel",
    "stride",
    "padding",
    "dilation",
)


class GraphReader:
    """Reads one document; raises ``GraphFormatError``."""

    def __init__(self, schema_version: int) -> None:
        self._schema_version = schema_version
        self._sizes: dict[Any, Size] = {}

    def graph(self, document: Any) -> TrainingGraph:
        """The graph that a document holds."""
        if not isinstance(document, dict):
            refuse("top level", document, "an object")
        self._check_version(document)
        self._check_fields(document, "", _TOP, ("dense_in_training", "notes", "fixed_batch"))
        default_batch = self._integer(document["default_batch"], "default_batch")
        if default_batch < 1:
            refuse("default_batch", default_batch, "at least 1")
        fixed_batch = document.get("fixed_batch", False)
        if not isinstance(fixed_batch, bool):
            refuse("fixed_batch", fixed_batch, "true or false")
        counted = self._object(document["counted_macs"], "counted_macs")
        tensors = self._tensors(document["tensors"])
        graph = TrainingGraph(
            name=self._text(document["name"], "name"),
            source=self._text(document["source"], "source"),
            default_batch=default_batch,
            tensors=tensors,
            operators=self._operators(document["operators"], tensors),
            unknown=self._unknown(document["unknown"]),
            counted_macs={key: self._size(value, f"counted_macs.{key}") for key, value in counted.items()},
            dense_in_training=self._known(document.get("dense_in_training", []), "dense_in_training", tensors),
            fixed_batch=fixed_batch,
            notes=tuple(self._text(note, "notes") for note in self._list(document.get("notes", []), "notes")),
        )
        check_order(graph.operators)
        check_counts(graph)
        check_tensors(graph)
        return graph

    def _check_version(self, document: dict[str, Any]) -> None:
        version = document.get("schema_version")
        if not isinstance(version, int) or isinstance(version, bool):
            refuse(
                "schema_version",
                version,
                f"an integer up to {self._schema_version}",
                "bisparse capture",
            )
        if version > self._schema_version:
            raise GraphFormatError(
                "schema_version",
                f"got {version}, made by a newer bisparse, need at most {self._schema_version}; "
                "try to upgrade bisparse",
            )
        if version < 1:
            refuse("schema_version", version, f"1 to {self._schema_version}", "bisparse capture")

    def _tensors(self, records: Any) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for index, record in enumerate(self._list(records, "tensors")):
            where = f"tensors[{index}]"
            self._check_fields(record, where, ("name", "shape", "role"), ("integer",))
            name = self._text(record["name"], f"{where}.name")
            if name in found:
                refuse(f"{where}.name", name, "a name used once")
            role: TensorRole = record["role"]
            if not isinstance(role, str) or role not in _ROLES:
                refuse(f"{where}.role", role, f"one of {', '.join(sorted(_ROLES))}")
            shape = self._list(record["shape"], f"{where}.shape")
            integer = record.get("integer", False)
            if not isinstance(integer, bool):
                refuse(f"{where}.integer", integer, "true or false")
            found[name] = Tensor(
                name=name,
                shape=tuple([self._extent(extent, where) for extent in shape]),
                role=role,
                integer=integer,
            )
        return found

    def _operators(self, records: Any, tensors: dict[str, Tensor]) -> tuple[Operator, ...]:
        found: dict[str, Operator] = {}
        needed = ("name", "kind", "stage", "module", "inputs", "outputs")
        for index, record in enumerate(self._list(records, "operators")):
            where = f"operators[{index}]"
            self._check_fields(record, where, needed, ("geometry", "parameter", "elements"))
            name = self._text(record["name"], f"{where}.name")
            if name in found:
                refuse(f"{where}.name", name, "a name used once")
            stage = _STAGES.get(record["stage"]) if isinstance(record["stage"], str) else None
            if stage is None:
                refuse(f"{where}.stage", record["stage"], f"one of {', '.join(_STAGES)}")
            parameter = record.get("parameter")
            if parameter is not None:
                self._known([parameter], f"{where}.parameter", tensors)
            geometry = record.get("geometry")
            elements = record.get("elements")
            found[name] = operator = Operator(
                name=name,
                kind=self._text(record["kind"], f"{where}.kind"),
                stage=stage,
                module=self._text(record["module"], f"{where}.module"),
                inputs=self._known(record["inputs"], f"{where}.inputs", tensors),
                outputs=self._known(record["outputs"], f"{where}.outputs", tensors),
                geometry=None if geometry is None else self._geometry(geometry, f"{where}.geometry"),
                parameter=parameter,
                elements=Size() if elements is None else self._size(elements, f"{where}.elements"),
            )
            check_kind(operator, where)
        return tuple(found.values())

    def _geometry(self, record: Any, where: str) -> Geometry:
        if isinstance(record, dict) and "m" in record:
            self._check_fields(record, where, ("m", "n", "k"), ("count", "grouped", "loads", "causal"))
            grouped = record.get("grouped")
            if grouped not in (None, "m", "n", "k"):
                refuse(f"{where}.grouped", grouped, "one of m, n, k")
            product = MatrixProduct(
                m=self._size(record["m"], f"{where}.m"),
                n=self._size(record["n"], f"{where}.n"),
                k=self._size(record["k"], f"{where}.k"),
                count=self._size(record["count"], f"{where}.count") if "count" in record else _ONE,
                grouped=grouped,
                loads=self._extents(record.get("loads", []), f"{where}.loads"),
                causal=self._causal(record["causal"], f"{where}.causal") if "causal" in record else None,
            )
            check_matrix_product(product, where)
            return product
        self._check_fields(record, where, _CONVOLUTION, ("transposed",))
        extents = {key: self._extents(record[key], f"{where}.{key}") for key in _CONVOLUTION[4:]}
        if len({len(axes) for axes in extents.values()}) != 1:
            refuse(f"{where}.kernel", record["kernel"], "as many axes as the other extents")
        transposed = record.get("transposed", False)
        if not isinstance(transposed, bool):
            refuse(f"{where}.transposed", transposed, "true or false")
        shape = Convolution(
            batch=self._size(record["batch"], f"{where}.batch"),
            groups=self._integer(record["groups"], f"{where}.groups"),
            in_channels=self._integer(record["in_channels"], f"{where}.in_channels"),
            out_channels=self._integer(record["out_channels"], f"{where}.out_channels"),
            transposed=transposed,
            **extents,
        )
        check_convolution(shape, where)
        return shape

    def _causal(self, value: Any, where: str) -> tuple[MatrixAxis, MatrixAxis]:
        axes = tuple(self._list(value, where))
        if len(axes) != 2 or not all(isinstance(axis, str) and axis in _MATRIX_AXES for axis in axes):
            refuse(where, value, "the axes of queries and keys, two of m, n, k")
        return axes

    def _unknown(self, records: Any) -> tuple[UnknownOperator, ...]:
        found = []
        for index, record in enumerate(self._list(records, "unknown")):
            where = f"unknown[{index}]"
            self._check_fields(record, where, ("name", "module", "shapes"), ())
            shapes = self._list(record["shapes"], f"{where}.shapes")
            found.append(
                UnknownOperator(
                    name=self._text(record["name"], f"{where}.name"),
                    module=self._text(record["module"], f"{where}.module"),
                    shapes=tuple(self._extents(shape, f"{where}.shapes") for shape in shapes),
                )
            )
        return tuple(found)

    def _known(self, names: Any, where: str, tensors: Collection[str]) -> tuple[str, ...]:
        for name in self._list(names, where):
            if not isinstance(name, str):
                refuse(where, name, "the name of a tensor")
            if name not in tensors:
                refuse(where, name, "a tensor listed under tensors")
        return tuple(names)

    def _size(self, value: Any, where: str) -> Size:
        try:
            key = value if type(value) is int else tuple(value)
            known = self._sizes.get(key)
        except TypeError:
            key, known = None, None
        if known is not None:
            return known
        numbers = value if isinstance(value, list) else [0 if value is None else value]
        whole = all(type(number) is int and number >= 0 for number in numbers)
        samples = numbers[2] if len(numbers) == 3 else 1
        if value is None or not whole or not samples or (isinstance(value, list) and len(value) not in (2, 3)):
            refuse(where, value, "a count, [fixed, per_sample], or [fixed, per_sample, samples]")
        size = Size(*numbers)
        self._sizes[key] = size
        return size

    def _extent(self, value: Any, where: str) -> Size:
        size = self._size(value, f"{where}.shape")
        if size.fixed + size.per_sample < 1:
            refuse(f"{where}.shape", value, "extents of at least 1")
        return size

    def _extents(self, value: Any, where: str) -> tuple[int, ...]:
        extents = self._list(value, where)
        if not all(type(extent) is int and extent >= 0 for extent in extents):
            refuse(where, value, "a list of counts")
        return tuple(extents)

    def _integer(self, value: Any, where: str) -> int:
        if type(value) is not int:
            refuse(where, value, "an integer")
        return value

    def _text(self, value: Any, where: str) -> str:
        if not isinstance(value, str):
            refuse(where, value, "text")
        return value

    def _list(self, value: Any, where: str) -> list[Any]:
        if not isinstance(value, list):
            refuse(where, value, "a list")
        return value

    def _object(self, value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            refuse(where, value, "an object")
        return value

    def _check_fields(self, record: Any, where: str, needed: tuple[str, ...], optional: tuple[str, ...]) -> None:
        if not isinstance(record, dict):
            refuse(where, record, "an object")
        prefix = f"{where}." if where else ""
        for field in needed:
            if field not in record:
                raise GraphFormatError(f"{prefix}{field}", "got nothing, need this field; try bisparse capture again")
        if len(record) > len(needed):
            for field in record:
                if field not in needed and field not in optional:
                    allowed = ", ".join((*needed, *optional))
                    refuse(f"{prefix}{field}", "an unknown field", f"one of {allowed}", "removing it")
