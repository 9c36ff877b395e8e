"""Capturing one's own network by the command line: what it assumes, what it leaves out, what it refuses."""

import numpy
import pytest

pytest.importorskip("torch")

EXPERTS = """\
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(16, 4)
        self.up = nn.Parameter(torch.zeros(4, 32, 16))
        self.head = nn.Linear(32, 16)

    def forward(self, x):
        share, chosen = self.gate(x).softmax(-1).topk(1, -1)
        return self.head(torch.bmm(self.up[chosen[:, 0]], x[:, :, None])[:, :, 0] * share)
"""

TRANSFORM = """\
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(16, 16)

    def forward(self, x):
        return torch.fft.fft(self.layer(x)).real
"""


@pytest.fixture
def captured(run, tmp_path, monkeypatch):
    """Writes a module and captures its ``Net`` as ``net.json``; every test has names of its own."""
    monkeypatch.setenv("BISPARSE_CACHE", str(tmp_path / "cache"))

    def command_line(name, source, *asked):
        (tmp_path / f"{name}.py").write_text(source)
        return run("capture", f"{name}:Net", *asked, "--out", "net.json")

    return command_line


def test_experts_are_counted_pruned_and_said_to_be_balanced(captured, run):
    said = "Routing to 4 experts is assumed to be balanced; --expert-load says otherwise."
    done = captured("experts_of_this_test", EXPERTS, "--input", "16", "--batch", 10)
    assert (done.code, f"note: {said}" in done.out) == (0, True), done.err
    result = run("simulate", "net.json", "--json").document
    rows = {row["name"]: row for row in result["operators"]}
    # Ten rows, shared out as 3, 3, 2 and 2; 2:8 leaves a quarter.
    assert rows["model:FF"]["useful_macs"] == 10 * 16 * 32 // 4
    assert rows["model:WU"]["useful_macs"] == 10 * 16 * 32
    assert result["notes"] == [said]
    assert said in " ".join(run("simulate", "net.json").out.split())


def test_a_load_of_the_experts_is_taken(captured, run):
    done = captured("loads_of_this_test", EXPERTS, "--input", "16", "--batch", 10, "--expert-load", "7,2,1,0")
    assert (done.code, "note:" in done.out) == (0, False)
    assert "--expert-load 7,2,1,0" in run("workloads", "show", "net.json").out
    assert run("simulate", "net.json", "--engine", "event").code == 0
    wrong = captured("loads_of_this_test", EXPERTS, "--input", "16", "--expert-load", "1,1")
    assert (wrong.code, wrong.err) == (
        2,
        "expert load: got 2 loads, need 4, one for each expert of 'model'; try 1,1,1,1\n",
    )
    none = captured("loads_of_this_test", EXPERTS, "--input", "16", "--expert-load", "0,0")
    assert none.err == (
        "--expert-load: got '0,0', need a whole number an expert, one of them at least 1; try 4,2,1,1\n"
    )


def test_what_may_multiply_is_in_the_headline_and_strict_refuses_it(captured, run):
    done = captured("transform_of_this_test", TRANSFORM, "--input", "16")
    assert done.out.splitlines()[0] == "Net: a training step at batch 32, 16,384 multiply-accumulates"
    assert done.out.splitlines()[1].startswith(
        "warning: not counted is what aten._fft_c2c, aten._fft_r2c may multiply: "
    )
    answer = " ".join(run("simulate", "net.json").out.partition("\n\n")[0].split())
    assert "Warning: not counted is what aten._fft_r2c, aten._fft_c2c may multiply" in answer
    assert "% of the step's time" in answer
    for command in (("simulate", "net.json"), ("compare", "net.json")):
        refused = run(*command, "--strict")
        assert (refused.code, refused.out) == (2, "")
        assert "got aten._fft_r2c and 1 more, which may hold multiplications" in refused.err
    strict = captured("transform_of_this_test", TRANSFORM, "--input", "16", "--strict")
    assert (strict.code, strict.out) == (2, "")


INDIVISIBLE = """\
from torch import nn

def Net():
    return nn.Sequential(nn.Linear(10, 12), nn.ReLU(), nn.Linear(12, 10))
"""


def test_nothing_to_prune_is_the_headline_with_the_reasons(captured, run):
    captured("indivisible_of_this_test", INDIVISIBLE, "--input", "10")
    said = (
        "Nothing could be pruned: bdwp 2:8 leaves every product of Net on sat-vcu1525 dense (10 channels are not "
        "divisible by 8 (2 products); 12 channels are not divisible by 8 (1 product)). Its step is the dense one"
    )
    answer = " ".join(run("simulate", "net.json", "--out", "out").out.partition("\n\n")[0].split())
    assert answer.startswith(said)
    assert answer.endswith("at batch 32.")
    several = run("compare", "net.json", "--recipes", "dense,bdwp")
    assert "Nothing could be pruned: bdwp 2:8" in " ".join(several.out.split())
    assert "Nothing could be pruned" not in run("simulate", "net.json", "--recipe", "dense").out


PACKED = """\
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.TransformerEncoderLayer(32, 2, 64, batch_first=True, dropout=0.0)
        self.head = nn.Linear(32, 16)

    def forward(self, x):
        return self.head(self.encoder(x).mean(1))
"""


def test_weights_that_training_leaves_dense_are_reported_apart(captured, run):
    import bisparse

    captured("packed_of_this_test", PACKED, "--input", "4x32", "--batch", 2)
    result = run("simulate", "net.json", "--json").document
    apart = result["trained_apart"]
    assert apart["parameters"] == ["encoder.self_attn.in_proj_weight", "encoder.self_attn.out_proj.weight"]
    rows = {row["name"]: row for row in result["operators"] if row["useful_macs"]}
    # What apply says that it leaves dense counts in full.
    from packed_of_this_test import Net

    reasons = bisparse.apply(Net(), "bdwp", "2:8").dense_reasons
    graph = bisparse.capture(Net(), (4, 32), default_batch=2)
    left = {p.name for p in graph.products if f"{p.module}:{p.stage.value}" in reasons}
    useful = sum(p.geometry.macs(2) if p.name in left else rows[p.name]["useful_macs"] for p in graph.products)
    assert apart["flop_bound_speedup"] == pytest.approx(graph.macs(2) / useful)
    assert apart["flop_bound_speedup"] < result["flop_bound_speedup"]
    said = "Training by bisparse.apply leaves some of these weights dense (encoder.self_attn.in_proj_weight, "
    assert said in " ".join(run("simulate", "net.json").out.partition("\n\n")[0].split())
    assert "trained_apart" not in run("simulate", "net.json", "--recipe", "dense", "--json").document


def test_a_file_that_says_its_inputs_needs_none(run, tmp_path, monkeypatch):
    import torch

    monkeypatch.setenv("BISPARSE_CACHE", str(tmp_path / "cache"))
    torch.export.save(torch.export.export(torch.nn.Linear(8, 4), (torch.zeros(3, 8),)), "net.pt2")
    done = run("capture", "net.pt2")
    assert (done.code, done.out.splitlines()[0]) == (
        0,
        "net: a training step at batch 3 alone, 192 multiply-accumulates",
    )
    assert (
        "made by: bisparse capture net.pt2 --batch 3 --name net --fixed-batch"
        in run("workloads", "show", "net.json").out
    )
    assert run("capture", "net.pt2").out == done.out
    other = run("capture", "net.pt2", "--batch", 4)
    assert (other.code, other.err) == (
        2,
        "net.pt2: --batch: got 4, need 3, the only batch that the file runs at; try exporting it with a batch that is "
        "free\n",
    )


def test_another_program_in_the_same_file_is_captured_again(run, tmp_path, monkeypatch):
    import torch

    monkeypatch.setenv("BISPARSE_CACHE", str(tmp_path / "cache"))
    kinds = []
    for last in (torch.nn.Softmax(-1), torch.nn.Tanh()):
        network = torch.nn.Sequential(torch.nn.Linear(8, 4), last)
        torch.export.save(torch.export.export(network, (torch.zeros(3, 8),)), "net.pt2")
        assert run("capture", "net.pt2").code == 0
        kinds.append("1:softmax" in (tmp_path / "net.json").read_text())
    assert kinds == [True, False]


def test_weights_beside_a_network(captured, run, tmp_path):
    import torch

    weights = {"layer.weight": torch.eye(16), "layer.bias": torch.zeros(16)}
    torch.save(weights, tmp_path / "weights.pt")
    done = captured("weights_of_this_test", TRANSFORM, "--input", "16", "--weights", "weights.pt")
    assert (
        "note: 94% of layer.weight are zeros that the network brings along, 1:16 along the input channels" in done.out
    )
    assert "--weights weights.pt" in run("workloads", "show", "net.json").out
    alone = run("simulate", "weights.pt")
    assert alone.err.endswith("need a captured graph; try bisparse capture MODULE:FACTORY --weights weights.pt\n")
    assert run("capture", "weights.pt").err.endswith("try bisparse capture MODULE:FACTORY --weights weights.pt\n")


def test_a_network_that_says_no_inputs_is_asked_for_them(captured):
    done = captured("inputs_of_this_test", TRANSFORM)
    assert (done.code, done.err) == (
        2,
        "--input: got nothing, need a shape for each input of inputs_of_this_test:Net; try --input 3x224x224\n",
    )


@pytest.fixture
def onnx_file(tmp_path, monkeypatch):
    """Writes an ONNX file of one product with an input of these extents."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    monkeypatch.setenv("BISPARSE_CACHE", str(tmp_path / "cache"))

    def write(*extents):
        graph = helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"])],
            "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, extents)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(numpy.ones((16, 8), numpy.float32), "w")],
        )
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), tmp_path / "tiny.onnx")
        return "tiny.onnx"

    return write


def test_an_onnx_file_says_its_inputs_and_is_simulated(run, onnx_file):
    done = run("capture", onnx_file("N", 16), "--batch", 64, "--out", "net.json")
    assert (done.code, done.out.splitlines()[0]) == (
        0,
        f"tiny: a training step at batch 64, {2 * 64 * 16 * 8:,} multiply-accumulates",
    )
    assert "note: An ONNX file does not say what learns" in done.out
    result = run("simulate", "net.json", "--batch", 32, "--json").document
    assert {row["name"] for row in result["operators"]} >= {"y:FF", "y:WU"}
    inference = run("capture", "tiny.onnx", "--inference")
    assert inference.out.splitlines()[0] == f"tiny: a forward pass at batch 32, {32 * 16 * 8:,} multiply-accumulates"
    assert "does not say what learns" not in inference.out


def test_an_onnx_file_of_one_batch_is_captured_at_that_batch(run, onnx_file):
    done = run("capture", onnx_file(4, 16))
    assert done.out.startswith("tiny: a training step at batch 4 alone")
    refused = run("capture", "tiny.onnx", "--batch", 8)
    assert (refused.code, refused.err) == (
        2,
        "tiny.onnx: --batch: got 8, need 4, the only batch that the file runs at; try exporting it with a batch "
        "that is free\n",
    )


def test_what_an_onnx_file_leaves_open_is_asked_for(run, onnx_file):
    refused = run("capture", onnx_file("N", "length", 16))
    assert refused.err == (
        "--input: got nothing, need a shape for each input of tiny.onnx, of which it says: 'x' is Nxlengthx16; "
        "try --input 3x224x224\n"
    )
    assert run("capture", "tiny.onnx", "--input", "5x16").code == 0
