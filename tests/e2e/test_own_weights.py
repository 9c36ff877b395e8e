"""Checkpoints pruned by torch's own tools, from the file to the answer: what they are, and what a design gains."""

from __future__ import annotations

import json
import struct

import pytest
import torch
from bisparse.sim.results.simulation_result import SimulationResult
from bisparse.training.models.resnet import resnet9
from torch import nn
from torch.nn.utils import prune

import bisparse

RESNET = "resnet9-cifar10"
ASKED = ("simulate", RESNET, "--batch", 16)

NETWORK = """
from torch import nn
def build():
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 32))
"""


def layers(network):
    return [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]


def unstructured(layer):
    prune.l1_unstructured(layer, "weight", 0.8)


def channels(layer):
    prune.ln_structured(layer, "weight", 0.5, n=2, dim=0)


def two_of_four(layer):
    """The two largest of each four input channels, where there are fours."""
    weight = layer.weight.detach()
    if weight.shape[1] % 4 == 0:
        ordered = weight.abs().movedim(1, -1)
        groups = ordered.reshape(*ordered.shape[:-1], -1, 4)
        mask = torch.zeros_like(groups).scatter_(-1, groups.topk(2).indices, 1.0)
        prune.custom_from_mask(layer, "weight", mask.reshape(ordered.shape).movedim(-1, 1))


def two_of_four_both_ways(layer):
    """Two of every four, along inputs and along outputs."""
    outputs, inputs = (torch.arange(extent) for extent in layer.weight.shape)
    prune.custom_from_mask(layer, "weight", ((inputs[None, :] - outputs[:, None]) % 4 < 2).float())


@pytest.fixture
def saved(tmp_path):
    """Writes the state of a network whose layers were pruned."""

    def save(pruned, network=None):
        torch.manual_seed(0)
        network = resnet9() if network is None else network
        for layer in layers(network):
            pruned(layer)
        torch.save(network.state_dict(), tmp_path / "pruned.pt")

    return save


@pytest.fixture
def small(run, tmp_path):
    """An MLP, captured by the command line: its factory's module."""
    (tmp_path / "mynet.py").write_text(NETWORK)
    assert run("capture", "mynet.py:build", "--input", "64", "--out", "net.json").code == 0
    scope = {}
    exec(NETWORK, scope)
    return scope["build"]


def figures(document):
    """All of a result but what went in, and the words about zeros."""
    rows = [{name: value for name, value in row.items() if name != "dense_reason"} for row in document["operators"]]
    left_out = ("inputs", "own_zeros", "operators")
    return {name: value for name, value in document.items() if name not in left_out} | {"operators": rows}


def test_unstructured_zeros_are_named_and_save_nothing_on_sat(run, saved, tmp_path):
    saved(unstructured)
    done = run(*ASKED, "--weights", "pruned.pt", "--out", "out")
    assert done.code == 0
    said = " ".join(done.out.split())
    assert said.startswith(
        "pruned.pt has zeros in 9 of 9 weights, 80% of their elements: unstructured. static-masks 80%"
    )
    assert "Its zeros save no time on the array: sat-vcu1525 skips no zeros that lie without a rule." in said
    assert "as fast as dense" in said
    document = json.loads((tmp_path / "out" / "result.json").read_text())
    assert document["speedup_vs_dense"] == pytest.approx(1.0, abs=0.01)
    assert document["inputs"]["weights"]["name"] == "pruned.pt"
    weights = document["own_zeros"]["weights"]
    assert [each["parameter"] for each in weights][:2] == ["0.0.weight", "1.0.weight"]
    for each in weights:
        assert each["found"] == "unstructured"
        assert each["zeros"] == round(0.8 * each["elements"])
        assert set(each["unskipped"].values()) == {"sat-vcu1525 skips no zeros that lie without a rule"}
    for report in ("report.html", "report.md"):
        assert "checkpoint" in (tmp_path / "out" / report).read_text()
    assert "--weights pruned.pt" in (tmp_path / "out" / "command.txt").read_text()
    assert SimulationResult.from_document(document).document() == document
    assert run("report", "out").code == 0


def test_an_array_that_skips_them_gains(run, saved):
    saved(unstructured)
    found = run(
        "compare", RESNET, "--batch", 16, "--weights", "pruned.pt", "--hardware", "sat-vcu1525,sat-unstructured"
    )
    assert found.code == 0
    results = run(
        *("compare", RESNET, "--batch", 16, "--weights", "pruned.pt", "--json"),
        *("--hardware", "sat-unstructured", "--recipes", "dense,static-masks,bdwp", "--sparsity", "2:4,2:8"),
    ).document["results"]
    assert [each["inputs"]["recipe"]["name"] for each in results] == ["dense", "static-masks", "bdwp", "bdwp"]
    assert [each["sparsity"] for each in results] == ["dense", "80%", "2:4", "2:8"]
    assert ["own_zeros" in each for each in results] == [False, True, False, False]
    assert results[1]["speedup_vs_dense"] > 1.3
    assert "zeros save no time" not in " ".join(found.out.split()).partition("sat-unstructured")[2]


def test_where_zeros_lie_is_counted_not_assumed(run, saved, small):
    def left_half(layer):
        mask = torch.ones_like(layer.weight)
        mask[:, layer.weight.shape[1] // 2 :] = 0
        prune.custom_from_mask(layer, "weight", mask)

    def anywhere(layer):
        prune.random_unstructured(layer, "weight", 0.5)

    asked = (
        "simulate",
        "net.json",
        "--batch",
        512,
        "--hardware",
        "sat-unstructured",
        "--weights",
        "pruned.pt",
        "--json",
    )
    cycles = {}
    for pruned in (left_half, anywhere):
        for engine in ("analytic", "event"):
            saved(pruned, small())
            document = run(*asked, "--engine", engine).document
            rows = {row["name"]: row["cycles"] for row in document["operators"]}
            cycles[pruned, engine] = rows["2:FF"] + rows["4:FF"]
    # Half of the inputs of every output: nobody waits for anybody.
    assert cycles[left_half, "analytic"] < 0.85 * cycles[anywhere, "analytic"]
    for pruned in (left_half, anywhere):
        assert cycles[pruned, "event"] == pytest.approx(cycles[pruned, "analytic"], rel=0.05)


def test_whole_channels_are_named(run, saved):
    saved(channels)
    document = run(*ASKED, "--weights", "pruned.pt", "--json").document
    weights = {each["parameter"]: each for each in document["own_zeros"]["weights"]}
    assert {each["found"] for each in weights.values()} == {"whole output channels"}
    assert weights["1.0.weight"]["zero_outputs"] == 64
    said = " ".join(run(*ASKED, "--weights", "pruned.pt").out.split())
    assert "50% of their elements: whole output channels." in said
    assert "channels of zeros are multiplied like any others, until the network is captured without them" in said


def test_two_of_four_along_inputs_is_what_the_recipe_of_that_ratio_is_in_inference(run, saved):
    saved(two_of_four)
    asked = (*ASKED, "--pass", "inference", "--json")
    own = run(*asked, "--weights", "pruned.pt").document
    ratio = run(*asked, "--recipe", "static-masks", "--sparsity", "2:4").document
    assert figures(own) == figures(ratio)
    assert own["speedup_vs_dense"] > 1.5
    said = " ".join(run(*ASKED, "--weights", "pruned.pt").out.split())
    assert "zeros in 8 of 9 weights, 50% of their elements: 2:4 along inputs." in said
    assert (
        "In 8 of 16 pruned products zeros save no time on the array: 2:4 along inputs is no rule along outputs" in said
    )


@pytest.mark.parametrize("engine", ["analytic", "event"])
def test_two_of_four_both_ways_is_what_the_recipe_of_that_ratio_is_in_training(run, saved, small, engine):
    saved(two_of_four_both_ways, small())
    asked = ("simulate", "net.json", "--engine", engine, "--json")
    own = run(*asked, "--weights", "pruned.pt").document
    ratio = run(*asked, "--recipe", "static-masks", "--sparsity", "2:4").document
    assert figures(own) == figures(ratio)
    assert own["sparsity"] == "2:4"
    assert {each["found"] for each in own["own_zeros"]["weights"]} == {"2:4 along inputs and outputs"}


def test_layers_may_have_formats_of_their_own(run, saved, small):
    network = small()
    torch.manual_seed(0)
    two_of_four(network[0])
    unstructured(network[2])
    torch.save(network.state_dict(), "pruned.pt")
    own = run("simulate", "net.json", "--weights", "pruned.pt", "--json").document["own_zeros"]
    assert [each["found"] for each in own["weights"]] == ["2:4 along inputs", "unstructured", "dense"]
    rows = bisparse.simulate("net.json", weights="pruned.pt").operators.set_index("name")
    assert rows.sparsity[["0:FF", "2:FF", "2:BP", "4:FF"]].to_list() == ["2:4", "79.9988%", "79.9988%", "dense"]
    both = bisparse.compare("net.json", weights="pruned.pt")
    assert [each.inputs["recipe"].name for each in both] == ["dense", "static-masks"]


def test_safetensors_are_the_same_weights(run, saved, small, tmp_path):
    network = small()
    saved(lambda layer: (unstructured(layer), prune.remove(layer, "weight")), network)
    header, data = {}, b""
    for name, tensor in network.state_dict().items():
        content = tensor.to(torch.bfloat16).view(torch.uint16).numpy().tobytes()
        header[name] = {"dtype": "BF16", "shape": list(tensor.shape), "data_offsets": [len(data), len(data + content)]}
        data += content
    text = json.dumps(header).encode()
    (tmp_path / "pruned.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    torchs, plain = (
        run("simulate", "net.json", "--weights", f"pruned.{kind}", "--json").document for kind in ("pt", "safetensors")
    )
    assert figures(torchs) == figures(plain)
    assert torchs["own_zeros"]["weights"] == plain["own_zeros"]["weights"]


def test_nothing_is_gained_by_weights_without_zeros(run, saved, small):
    saved(lambda layer: None, small())
    said = " ".join(run("simulate", "net.json", "--weights", "pruned.pt").out.split())
    assert said.startswith("pruned.pt has no zeros to speak of in 3 weights. Nothing could be pruned: static-masks 0%")
    assert "no zeros in the checkpoint (5 products)" in said


def test_what_a_checkpoint_lacks_is_told(run, small):
    torch.save(
        {"0.weight": torch.zeros(128, 64), "2.weight": torch.eye(128), "head.weight": torch.ones(2, 2)}, "part.pt"
    )
    said = " ".join(run("simulate", "net.json", "--weights", "part.pt").out.split())
    assert "part.pt has no values for 4.weight, by which products multiply: simulated as without zeros." in said
    assert "part.pt has 1 tensors that the network has not: head.weight." in said
    assert "part.pt is zero throughout in 0.weight: simulated as if it were not." in said


class Runs:
    def __reduce__(self):
        return print, ("this was run",)


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ({"0.weight": torch.ones(3, 64)}, "pruned.pt: 0.weight: got 3x64, need 128x64 of 0.weight of build"),
        ({"other.weight": torch.ones(3, 64)}, "pruned.pt: got other.weight, need the weights of build (0.weight, "),
        ({"0.weight": torch.full((128, 64), torch.nan)}, "pruned.pt: 0.weight: got 8192 of 8192 values that are not"),
        ({"0.weight": Runs()}, "pruned.pt: got print in it, which loading would run, need tensors alone"),
        ({}, "pruned.pt: got dict without tensors, need a dictionary of them"),
    ],
)
def test_files_that_are_no_checkpoint_of_the_network_are_one_line(run, small, weights, told):
    torch.save(weights, "pruned.pt")
    done = run("simulate", "net.json", "--weights", "pruned.pt")
    assert done.code == 2
    assert done.err.startswith(told)
    assert "this was run" not in done.out + done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            ("--recipe", "bdwp"),
            "weights: got pruned.pt with bdwp, which finds its own masks, need a recipe whose masks",
        ),
        (("--sparsity", "2:4"), "sparsity: got 2:4 with pruned.pt, which says itself what is zero, need one of them"),
        (("--save-schedule", "s.json"), "--weights: got it with a saved schedule, which holds for a ratio"),
        (
            ("--recipe", "gradual-magnitude"),
            "schedule: got a change over time in gradual-magnitude with pruned.pt, whose",
        ),
        (("--recipe", "own.yaml"), "layers: got ratios in own with pruned.pt, which says itself what is zero"),
    ],
)
def test_what_a_checkpoint_does_not_go_with_is_refused(run, small, saved, options, told):
    saved(unstructured, small())
    with open("own.yaml", "w") as file:
        file.write('extends: static-masks\nname: own\nlayers:\n  - {names: ["0"], sparsity: "2:4"}\n')
    done = run("simulate", "net.json", "--weights", "pruned.pt", *options)
    assert (done.code, done.err.startswith(told)) == (2, True), done.err


def test_a_comparison_needs_a_recipe_that_takes_them(run, small, saved):
    saved(unstructured, small())
    done = run("compare", "net.json", "--weights", "pruned.pt", "--recipes", "dense,bdwp")
    assert done.code == 2
    assert done.err.startswith(
        "weights: got them with dense, bdwp, need a recipe whose masks are given; try static-masks"
    )


def test_names_that_a_recipe_keeps_dense_stay_so(run, small, saved):
    saved(unstructured, small())
    with open("own.yaml", "w") as file:
        file.write('extends: static-masks\nname: own\ndense: {names: ["2"]}\n')
    document = run("simulate", "net.json", "--weights", "pruned.pt", "--recipe", "own.yaml", "--json").document
    simulated = [each["simulated"]["FF"] for each in document["own_zeros"]["weights"]]
    assert [each == "dense" for each in simulated] == [False, True, False]


def test_a_range_and_what_helps_are_of_the_same_zeros(run, small, saved):
    saved(unstructured, small())
    document = run("simulate", "net.json", "--weights", "pruned.pt", "--what-if", "--json").document
    assert all(0.9 < each["speedup_vs_dense"] < 1.2 for each in document["what_if"])
    assert document["what_if"]
