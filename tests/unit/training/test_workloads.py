"""The shipped workloads: published sizes, two counts that agree, and files that a fresh capture reproduces."""

from __future__ import annotations

import pytest
import torch
from bisparse.configs.library import find, names
from bisparse.training.capture import capture_path, load_factory
from bisparse.training.capture_request import CaptureRequest
from bisparse.training.graph import Stage, TrainingGraph
from bisparse.training.graph_file import graph_text, load_graph
from bisparse.training.workloads import WORKLOADS, ShippedWorkload, capture_source

PARAMETERS = {
    # The usual CIFAR-10 ResNet-9 without a scaled head: 6,573,120 weights and norms, 10 biases.
    "resnet9-cifar10": 6_573_130,
    # 12 blocks of 1,774,464, patches 18,816, positions 24,960, class token 384, norm 768, head 3,850.
    "vit-cifar10": 21_342_346,
    # The 10-class form has 20,040,522; 90 classes more are 513 each.
    "vgg19-cifar100": 20_040_522 + 90 * 513,
    # The 3x3-stem form with 10 classes has 11,173,962; 190 classes more are 513 each.
    "resnet18-tinyimagenet": 11_173_962 + 190 * 513,
    # torchvision's count.
    "resnet50-imagenet": 25_557_032,
    # Encoder and pooler as published, and a classifier of two classes.
    "bert-base": 109_482_240 + 2 * 769,
    "gpt2-small": 124_439_808,
    # 7168 positions more, each of width 768.
    "gpt2-small-8k": 124_439_808 + 7168 * 768,
    "mobilenet-v2-imagenet": 3_504_872,
    # Embedding 128 x 128; four gates of 512 units with 128 inputs, 512 states and two biases; a head of 128 symbols.
    "lstm-text": 128 * 128 + 4 * 512 * (128 + 512 + 2) + 128 * (512 + 1),
}

LANGUAGE = ("bert-base", "gpt2-small", "gpt2-small-8k", "lstm-text")

FORWARD_MACS_A_SAMPLE = {
    # The figures usually quoted (torchvision lists 4.09 and 0.30 G).
    "resnet50-imagenet": 4_089_184_256,
    "mobilenet-v2-imagenet": 300_774_272,
}


@pytest.fixture(scope="module")
def fresh() -> dict[str, TrainingGraph]:
    """Every workload captured once more."""
    return {
        name: capture_path(
            workload.factory,
            workload.inputs,
            name=workload.name,
            default_batch=workload.default_batch,
            source=workload.source,
        )
        for name, workload in WORKLOADS.items()
    }


def shipped(workload: ShippedWorkload) -> TrainingGraph:
    return load_graph(find("workloads", workload.name))


def test_every_workload_is_shipped_and_nothing_else():
    assert names("workloads") == sorted(WORKLOADS)
    assert all(name == workload.name for name, workload in WORKLOADS.items())


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_fresh_capture_is_the_shipped_file(fresh, name):
    path = find("workloads", name)
    command = WORKLOADS[name].command
    assert graph_text(fresh[name]) == path.read_text(encoding="utf-8"), f"if this change is meant: {command}"


@pytest.mark.parametrize("name", WORKLOADS)
def test_parameters_are_those_published(name):
    with torch.device("meta"):
        module = load_factory(WORKLOADS[name].factory)()
    assert sum(parameter.numel() for parameter in module.parameters()) == PARAMETERS[name]
    updates = [o for o in shipped(WORKLOADS[name]).operators if o.stage is Stage.UPDATE]
    assert sum(update.elements.fixed for update in updates) == PARAMETERS[name]


@pytest.mark.parametrize("name", WORKLOADS)
@pytest.mark.parametrize("batch", [1, 512])
def test_products_are_what_torch_counts(name, batch):
    graph = shipped(WORKLOADS[name])
    assert graph.macs(batch, Stage.FORWARD) == graph.counted_macs["forward"].at(batch)
    backward = graph.macs(batch, Stage.BACKWARD, Stage.WEIGHT_GRADIENT)
    assert backward == graph.counted_macs["backward"].at(batch)


@pytest.mark.parametrize("name", FORWARD_MACS_A_SAMPLE)
def test_forward_work_is_that_published(name):
    assert shipped(WORKLOADS[name]).macs(1, Stage.FORWARD) == FORWARD_MACS_A_SAMPLE[name]


@pytest.mark.parametrize("name", WORKLOADS)
def test_each_weight_has_all_three_products_but_the_first(name):
    graph = shipped(WORKLOADS[name])
    by_weight: dict[str, set[str]] = {}
    for operator in graph.products:
        if operator.parameter is not None:
            by_weight.setdefault(operator.parameter, set()).add(operator.stage.value)
    without_input_gradient = [weight for weight, stages in by_weight.items() if stages != {"FF", "BP", "WU"}]
    # The network's input needs no gradient; a lookup stands before the first product of the language models.
    first = next(operator.parameter for operator in graph.products)
    assert without_input_gradient == ([] if name in LANGUAGE else [first])


@pytest.mark.parametrize("name", WORKLOADS)
def test_nothing_is_unknown_and_every_name_is_unique(name):
    graph = shipped(WORKLOADS[name])
    assert graph.unknown == ()
    assert len({operator.name for operator in graph.operators}) == len(graph.operators)
    assert WORKLOADS[name].command in graph.source
    assert graph.default_batch == WORKLOADS[name].default_batch


def test_the_tied_head_of_gpt2_is_updated_once():
    graph = shipped(WORKLOADS["gpt2-small"])
    of_table = [operator for operator in graph.operators if operator.parameter == "token_embedding.weight"]
    assert [operator.kind for operator in of_table] == ["embedding", "linear", "linear", "linear", "parameter_update"]


def test_a_capture_says_what_it_was_made_by():
    workload = WORKLOADS["bert-base"]
    asked = {"name": workload.name, "batch": workload.default_batch}
    assert capture_source(workload.factory, workload.inputs, **asked) == workload.source
    other = capture_source("my.models:net", workload.inputs, name="net", batch=4, request=CaptureRequest(loss="mean"))
    assert other == (
        "made by: bisparse capture my.models:net --input 512:int --input 512:int --batch 4 --name net --loss mean"
    )
