"""What Sparsey and dendrites ask of an accelerator is what their mathematics computes."""

from __future__ import annotations

import numpy as np
import pytest
from bisparse.training.outside.sparsey import Sparsey

torch = pytest.importorskip("torch")

from bisparse.training.capture import capture  # noqa: E402
from bisparse.training.models.associative import DendriteSegments, WinnersOfModules  # noqa: E402


def test_the_network_of_sparsey_sums_what_the_field_sums():
    field, drawn = Sparsey(inputs=30, modules=4, units=5), np.random.default_rng(0)
    patterns = (drawn.random((6, 30)) < 0.3).astype(np.float32)
    for each in patterns:
        field.learn(each)
    network = WinnersOfModules(inputs=30, modules=4, units=5)
    network.weights.weight.data = torch.from_numpy(field.weights.reshape(30, -1).T.astype(np.float32))
    largest = network(torch.from_numpy(patterns)).detach().numpy() / patterns.sum(axis=1, keepdims=True)
    assert largest.mean(axis=1) == pytest.approx([field.familiarity(each) for each in patterns])


def test_the_network_of_dendrites_tells_segments_at_their_threshold_from_others():
    network = DendriteSegments(units=6, segments=2, threshold=2)
    network.synapses.weight.data = torch.tensor([[1.0, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]])
    above = network(torch.tensor([[1.0, 1, 0, 1, 0, 0], [1, 1, 1, 1, 1, 0]]))
    assert above.tolist() == [[1, 0], [2, 1]]


@pytest.mark.parametrize(
    ("network", "inputs", "outputs"),
    [
        (WinnersOfModules(inputs=30, modules=4, units=5), 30, 20),
        (DendriteSegments(units=8, segments=6, threshold=2), 8, 6),
    ],
)
def test_each_is_one_product_of_all_inputs_by_all_units_and_work_on_its_results(network, inputs, outputs):
    graph = capture(network, (inputs,), name="net", default_batch=4, source="a test", inference=True)
    (product,) = graph.products
    assert (product.geometry.m.at(7), product.geometry.k.at(7), product.geometry.n.at(7)) == (7, inputs, outputs)
    assert {each.kind for each in graph.operators} <= {"linear", "reduce", "elementwise", "add"}
