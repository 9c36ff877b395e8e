"""Files of other programs' making, damaged by their own means: SQLite, ONNX, torch's pickles, safetensors."""

from __future__ import annotations

import io
import json
import sqlite3
import tempfile
from pathlib import Path
from random import Random
from typing import Any

from .documents import damaged
from .forms import as_json
from .values import NAMES, NUMBERS, Literal


def damaged_sqlite(draw: Random, content: bytes) -> tuple[str, bytes]:
    """A store that SQLite reads, with a cell, a row, a column or a table that is not as it was."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "store.sqlite"
        file.write_bytes(content)
        store = sqlite3.connect(file)
        tables = [row[0] for row in store.execute("select name from sqlite_master where type = 'table'")]
        table = draw.choice([each for each in tables if not each.startswith("sqlite_")])
        columns = [row[1] for row in store.execute(f'pragma table_info("{table}")')]
        column = draw.choice(columns)
        how = draw.choice(("cell", "cell", "cell", "row gone", "column gone", "table gone", "renamed", "version"))
        one = f'rowid = (select rowid from "{table}" order by rowid limit 1 offset {draw.randrange(3)})'
        try:
            match how:
                case "cell":
                    store.execute(
                        f'update "{table}" set "{column}" = ? where {one}', (_cell(draw, store, table, column),)
                    )
                case "row gone":
                    store.execute(f'delete from "{table}" where {one}')
                case "column gone":
                    store.execute(f'alter table "{table}" drop column "{column}"')
                case "table gone":
                    store.execute(f'drop table "{table}"')
                case "renamed":
                    store.execute(f'alter table "{table}" rename column "{column}" to "{column}2"')
                case "version":
                    store.execute(f"pragma user_version = {draw.choice((0, 1, 99, 2**31 - 1, -1))}")
            store.commit()
        except sqlite3.Error:
            # What the schema does not allow is no store either.
            how = "as it was"
        store.close()
        return how, file.read_bytes()


def _cell(draw: Random, store: sqlite3.Connection, table: str, column: str) -> Any:
    """A value for a cell; of JSON, one that is JSON with something wrong."""
    (old,) = store.execute(f'select "{column}" from "{table}" limit 1').fetchone() or (None,)
    if isinstance(old, str) and old[:1] in ("{", "[") and draw.random() < 0.7:
        return as_json(damaged(draw, json.loads(old)).document).decode("utf-8", "replace")
    value = draw.choice((*NUMBERS, *NAMES, None, b"\xff\x00", "{", "[1"))
    if isinstance(value, int) and abs(value) >= 2**63:
        return float(value)
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) and "\ud800" in value else value


def damaged_onnx(draw: Random, content: bytes) -> tuple[str, bytes]:
    """A model that is ONNX, one of whose fields has another value, is gone or stands twice."""
    import onnx

    model = onnx.load_model_from_string(content)
    message: Any = model
    for _ in range(draw.randrange(2, 9)):
        inner = []
        for field, value in message.ListFields():
            if field.message_type is None:
                continue
            inner += list(value) if _repeated(field) else [value]
        if not inner:
            break
        message = draw.choice(inner)
    fields = message.ListFields()
    if not fields:
        return "as it was", content
    field, value = draw.choice(fields)
    how = draw.choice(("value", "value", "gone", "doubled"))
    if how == "gone":
        message.ClearField(field.name)
    elif how == "doubled" and _repeated(field) and len(value):
        (value.append(value[0]) if field.message_type is None else value.add().CopyFrom(value[0]))
    else:
        how = "value"
        _set(draw, message, field, value)
    return f"field {how}", model.SerializeToString()


def _repeated(field: Any) -> bool:
    repeated = getattr(field, "is_repeated", None)
    return bool(repeated) if isinstance(repeated, bool) else field.label == field.LABEL_REPEATED


def _set(draw: Random, message: Any, field: Any, value: Any) -> None:
    if field.message_type is not None:
        message.ClearField(field.name)
        return
    name = draw.choice(NAMES).encode("utf-8", "replace").decode()
    chosen: Any = {
        field.CPPTYPE_STRING: name.encode() if field.type == field.TYPE_BYTES else name,
        field.CPPTYPE_FLOAT: draw.choice((0.0, -1.0, 1e30, float("nan"), float("inf"))),
        field.CPPTYPE_DOUBLE: draw.choice((0.0, -1.0, 1e300, float("nan"), float("inf"))),
    }.get(field.cpp_type, draw.choice((0, -1, 1, 3, 99, 2**31 - 1, -(2**31))))
    try:
        if _repeated(field):
            value[draw.randrange(len(value))] = chosen
        else:
            setattr(message, field.name, chosen)
    except (ValueError, TypeError):
        message.ClearField(field.name)


def damaged_torch(draw: Random, content: bytes) -> tuple[str, bytes]:
    """What torch saved, loaded, with something wrong, and saved again."""
    import torch

    found = damaged(draw, torch.load(io.BytesIO(content), weights_only=True))
    document, how = found.document, found.how
    if draw.random() < 0.3 and isinstance(document, dict):
        tensors = [key for key, value in document.items() if isinstance(value, torch.Tensor)]
        if tensors:
            key = draw.choice(tensors)
            document[key] = _another_tensor(draw, document[key])
            how = "tensor"
    made = io.BytesIO()
    torch.save(_plain(document), made)
    return how, made.getvalue()


def damaged_safetensors(draw: Random, content: bytes) -> tuple[str, bytes]:
    """A file of safetensors whose header says something wrong, or is as long as it does not say."""
    length = int.from_bytes(content[:8], "little")
    found = damaged(draw, json.loads(content[8 : 8 + length]))
    header = as_json(found.document)
    told = len(header) if draw.random() < 0.8 else draw.choice((0, 1, len(header) - 1, len(header) + 1, 2**63))
    return found.how, told.to_bytes(8, "little") + header + content[8 + length :]


def _another_tensor(draw: Random, tensor: Any) -> Any:
    import torch

    return draw.choice(
        (
            lambda: tensor * float("nan"),
            lambda: tensor[:0],
            lambda: tensor.reshape(-1),
            lambda: tensor.to(torch.complex64),
            lambda: tensor.to(torch.bool),
            lambda: tensor.to_sparse(),
            lambda: torch.zeros(1).expand(2**40),
            lambda: tensor.double(),
            lambda: torch.empty(4, 4, device="meta"),
            lambda: torch.quantize_per_tensor(tensor.float(), 0.1, 0, torch.qint8),
        )
    )()


def _plain(document: Any) -> Any:
    if isinstance(document, Literal):
        return str(document)
    if isinstance(document, dict):
        return {key: _plain(value) for key, value in document.items()}
    return [_plain(value) for value in document] if isinstance(document, list) else document
