"""Capturing a small module, and the sanity that every captured graph must have."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest
import torch
from bisparse.configs.vector_kinds import VECTOR_KINDS
from bisparse.training.capture import Loss, capture
from bisparse.training.graph import Stage, TrainingGraph
from bisparse.training.graph_file import SCHEMA_VERSION, graph_text
from bisparse.training.graph_reading import GraphReader

PRODUCT_KINDS = {"convolution", "linear", "matmul"}

GraphOf = Callable[..., TrainingGraph]


@pytest.fixture
def graph_of() -> GraphOf:
    """Captures a module at default batch 8 and checks the graph's own consistency."""

    def run(
        module: torch.nn.Module | Callable[[], torch.nn.Module],
        *shapes: Sequence[int],
        loss: Loss | None = None,
        integer_inputs: bool = False,
    ) -> TrainingGraph:
        graph = capture(
            module,
            shapes,
            name="tested",
            default_batch=8,
            source="a test",
            loss=loss,
            integer_inputs=integer_inputs,
        )
        check(graph)
        return graph

    return run


def check(graph: TrainingGraph) -> None:
    """Tensors exist, each is written once and before it is read, kinds are known, and both MAC counts agree."""
    written: set[str] = set()
    for operator in graph.operators:
        assert {*operator.inputs, *operator.outputs} <= graph.tensors.keys()
        for name in operator.inputs:
            made_by = graph.producer.get(name)
            assert made_by is None or name in written, f"{operator.name} reads {name} before {made_by}"
        assert not written.intersection(operator.outputs), f"{operator.name} writes a tensor again"
        written.update(operator.outputs)
        if operator.is_product:
            assert operator.kind in PRODUCT_KINDS
        elif operator.stage is not Stage.UPDATE:
            assert operator.kind in VECTOR_KINDS
    check_weight_gradients(graph)
    assert GraphReader(SCHEMA_VERSION).graph(json.loads(graph_text(graph))) == graph, "its file can be read again"
    for batch in (1, 8, 512):
        assert graph.macs(batch, Stage.FORWARD) == graph.counted_macs["forward"].at(batch)
        backward = graph.macs(batch, Stage.BACKWARD, Stage.WEIGHT_GRADIENT)
        assert backward == graph.counted_macs["backward"].at(batch)


def check_weight_gradients(graph: TrainingGraph) -> None:
    """A weight gradient ends in the update of the parameter that the product says it belongs to, and of no other.

    This witnesses the stage told from the operands by another way: the flow of the results.
    """
    for product in graph.products:
        if product.stage is not Stage.WEIGHT_GRADIENT:
            continue
        reached, pending = set(), list(product.outputs)
        while pending:
            for reader in graph.consumers.get(pending.pop(), ()):
                if reader.stage is Stage.UPDATE:
                    reached.add(reader.parameter)
                elif not reader.is_product:
                    pending.extend(reader.outputs)
        assert product.parameter in reached, f"{product.name} ends in {reached}"
