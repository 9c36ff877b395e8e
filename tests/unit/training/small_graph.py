"""A small training graph with a convolution, and its document with one field changed."""

from __future__ import annotations

import json

from bisparse.training.graph import (
    Convolution,
    MatrixProduct,
    Operator,
    Size,
    Stage,
    Tensor,
    TrainingGraph,
    UnknownOperator,
)
from bisparse.training.graph_file import graph_text

EACH = Size(per_sample=1)


def tensor(name: str, role: str = "activation", *, integer: bool = False, width: int = 4) -> Tensor:
    return Tensor(name=name, shape=(EACH, Size(fixed=width)), role=role, integer=integer)


def small_graph(*, turned: bool = False) -> TrainingGraph:
    """One of everything that a file can hold; ``turned`` fills the same dictionary in another order."""
    tensors = [
        tensor("x", "input"),
        tensor("w", "parameter"),
        tensor("y", width=72),
        tensor("z", width=24),
        tensor("i", integer=True),
    ]
    shape = Convolution(
        batch=EACH,
        groups=1,
        in_channels=4,
        out_channels=4,
        input_size=(8,),
        output_size=(17,),
        kernel=(3,),
        stride=(2,),
        padding=(0,),
        dilation=(1,),
        transposed=True,
    )
    product = MatrixProduct(m=EACH, n=Size(fixed=4), k=Size(3), count=Size(fixed=6))
    operators = (
        Operator(
            name="c:FF",
            kind="convolution",
            stage=Stage.FORWARD,
            module="c",
            inputs=("x", "w"),
            outputs=("y",),
            geometry=shape,
            parameter="w",
        ),
        Operator(
            name="p:FF",
            kind="matmul",
            stage=Stage.FORWARD,
            module="",
            inputs=("y", "y"),
            outputs=("z",),
            geometry=product,
        ),
        Operator(
            name="p:odd",
            kind="unknown",
            stage=Stage.BACKWARD,
            module="p",
            inputs=("z",),
            outputs=("i",),
            elements=Size(per_sample=12),
        ),
    )
    return TrainingGraph(
        name="small «graph»",
        source="written by hand",
        default_batch=16,
        tensors={item.name: item for item in (reversed(tensors) if turned else tensors)},
        operators=operators,
        unknown=(UnknownOperator(name="aten.odd", module="p", shapes=((16, 4), ())),),
        counted_macs={"forward": Size(per_sample=456), "backward": Size()},
    )


def changed(path: list, value: object) -> str:
    """The small graph's document with one place changed, or removed when the value is ``...``."""
    document = json.loads(graph_text(small_graph()))
    place = document
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(document)
