"""Exported programs: captured as the module that they were made from, said how they differ, and never run code of."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections import namedtuple

import pytest
import torch
from bisparse.configs.errors import CaptureError
from bisparse.training.capture import capture, capture_path, find_source
from bisparse.training.graph import Stage
from torch import nn

BATCH = torch.export.Dim("batch")
EVALUATING = "The program was exported in evaluation mode: "


class Mixed(nn.Module):
    """A convolution, a normalisation, dropout, attention, a table that is read without a gradient, and a constant."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv1d(4, 16, 3, padding=1), nn.BatchNorm1d(16), nn.ReLU())
        self.block = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True)
        self.table, self.head = nn.Embedding(8, 16), nn.Linear(16, 5)

    @torch.no_grad()
    def angles(self, count, device):
        return torch.arange(count, device=device)[:, None] * torch.tensor([0.5])

    def forward(self, x):
        y = self.stem(x).transpose(1, 2)
        y = y + self.table(torch.arange(y.shape[1], device=x.device)) + self.angles(y.shape[1], x.device)
        return self.head(self.block(y)).mean(1)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Files of the same network: in both modes at any batch, and at a batch of two alone."""
    folder, network, sample = tmp_path_factory.mktemp("exported"), Mixed(), torch.zeros(2, 4, 8)
    for name, training, free in (("training", True, True), ("evaluating", False, True), ("two", False, False)):
        shapes = ({0: BATCH},) if free else None
        torch.export.save(
            torch.export.export(network.train(training), (sample,), dynamic_shapes=shapes), folder / f"{name}.pt2"
        )
    return folder


def captured(file, **asked):
    found = find_source(str(file))
    return capture_path(str(file), found.inputs, name="net", default_batch=4, source="a test", found=found, **asked)


@pytest.mark.parametrize("mode", ["training", "evaluating"])
def test_a_program_has_the_products_of_its_module_under_their_names(exported, mode):
    graph = captured(exported / f"{mode}.pt2")
    module = capture(Mixed(), (4, 8), name="net", default_batch=4, source="a test")
    for batch in (1, 4, 9):
        for stage in Stage:
            assert graph.macs(batch, stage) == module.macs(batch, stage)
    assert {product.parameter for product in graph.products} == {product.parameter for product in module.products}
    named = {product.name for product in graph.products}
    assert {"stem.0:FF", "block.linear1:WU", "head:BP"} <= named
    # What trains is the module that it was made from.
    assert graph.dense_in_training == ()


def test_a_program_of_training_runs_the_operators_of_a_training_step(exported):
    kinds = [operator.kind for operator in captured(exported / "training.pt2").operators]
    module = capture(Mixed(), (4, 8), name="net", default_batch=4, source="a test")
    assert kinds.count("dropout") == [operator.kind for operator in module.operators].count("dropout")
    assert not any(note.startswith(EVALUATING) for note in captured(exported / "training.pt2").notes)


def test_a_program_of_evaluation_says_so(exported):
    source = find_source(str(exported / "evaluating.pt2"))
    assert source.notes == (
        f"{EVALUATING}its normalisations use known statistics and its dropout does nothing, in a training step too.",
    )
    assert (source.batch, [str(shape) for shape in source.inputs]) == (None, ["4x8:fp32"])


def test_a_program_without_a_free_batch_has_one(exported):
    source = find_source(str(exported / "two.pt2"))
    assert (source.batch, [str(shape) for shape in source.inputs]) == (2, ["4x8:fp32"])


def test_the_file_is_read_without_its_module(exported):
    made = find_source(str(exported / "evaluating.pt2")).make
    sample = torch.randn(3, 4, 8)
    network = Mixed().eval()
    network.load_state_dict(made.state_dict())
    assert torch.allclose(made(sample), network(sample), atol=1e-6)


Pair = namedtuple("Pair", ["low", "high"])


class Structured(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Linear(8, 8)
        self.same = self.one

    def forward(self, x, pair, *, more):
        y = self.same(self.one(x)) + pair[0] * pair[1].shape[1] + more["at"]
        return {"loss": y.mean(), "rest": [y.chunk(2, -1), None]}


def test_inputs_in_structures_and_ties(tmp_path):
    x, file = torch.zeros(2, 8), tmp_path / "odd.pt2"
    others = (torch.ones(2, 8), torch.ones(2, 3)), torch.zeros(5, 2, 8)
    free = {"x": {0: BATCH}, "pair": ({0: BATCH}, {0: BATCH}), "more": {"at": {1: BATCH}}}
    program = torch.export.export(Structured(), (x, others[0]), {"more": {"at": others[1]}}, dynamic_shapes=free)
    torch.export.save(program, file)
    source = find_source(str(file))
    assert [str(shape) for shape in source.inputs] == [
        "8:fp32",
        "1.0=8:fp32",
        "1.1=3:fp32",
        "more.at=5xBx8:fp32",
    ]
    graph = captured(file)
    assert graph.macs(4, Stage.FORWARD) == 4 * 2 * 8 * 8
    assert [operator.parameter for operator in graph.operators if operator.stage is Stage.UPDATE] == [
        "one.weight",
        "one.bias",
    ]
    returned = source.make(x, {"0": others[0][0], "1": others[0][1]}, more={"at": others[1]})
    assert list(returned) == ["loss", "rest"]


def test_extents_beside_the_batch_are_those_of_the_example(tmp_path):
    file = tmp_path / "long.pt2"
    free = ({0: BATCH, 1: torch.export.Dim("length")},)
    torch.export.save(torch.export.export(nn.Linear(8, 8), (torch.zeros(2, 6, 8),), dynamic_shapes=free), file)
    source = find_source(str(file))
    assert [str(shape) for shape in source.inputs] == ["6x8:fp32"]
    assert source.notes == ("Extents that the program leaves open are its example's: 6x8:fp32; --input says others.",)


class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.norm = nn.Embedding(10, 8), nn.BatchNorm1d(8)

    def forward(self, tokens, mask):
        return self.norm(self.table(tokens).masked_fill(mask[..., None], 0).mean(1))


def test_whole_numbers_truth_values_and_decomposed_programs(tmp_path):
    file, sample = tmp_path / "masked.pt2", torch.zeros(2, 5, dtype=torch.int32)
    program = torch.export.export(Masked(), (sample, sample.bool()), dynamic_shapes=({0: BATCH}, {0: BATCH}))
    torch.export.save(program.run_decompositions(), file)
    assert [str(shape) for shape in find_source(str(file)).inputs] == ["5:int", "5:int"]
    graph = captured(file)
    assert graph.unknown == ()
    assert {"norm:batch_norm", "norm:batch_norm_backward"} <= {operator.name for operator in graph.operators}


def rewritten(file, target, *, change=lambda document: None, members=None, compress=zipfile.ZIP_STORED):
    """A copy of an archive with another program or other members."""
    members = members or {}
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(target, "w", compress) as made:
        for name in source.namelist():
            inner, data = name.partition("/")[2], source.read(name)
            if inner == "models/model.json":
                document = json.loads(data)
                change(document)
                data = json.dumps(document).encode()
            made.writestr(name, members.pop(inner, data))
        for name, data in members.items():
            made.writestr(f"any/{name}", data)
    return str(target)


def refusal(path):
    with pytest.raises(CaptureError) as caught:
        find_source(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message


class Marker:
    def __reduce__(self):
        return exec, ("raise SystemExit('code of the file was run')",)


def pickled():
    buffer = io.BytesIO()
    torch.save(Marker(), buffer)
    return buffer.getvalue()


def test_no_code_of_the_file_is_run(exported, tmp_path):
    file, target = exported / "two.pt2", tmp_path / "bad.pt2"

    def other_target(document):
        document["graph_module"]["graph"]["nodes"][0]["target"] = "torch.os.system"

    def other_names(document):
        document["guards_code"] = ["exec('raise SystemExit')"]
        for size in document["graph_module"]["graph"]["tensor_values"]["x"]["sizes"][1:2]:
            size.clear()
            size["as_expr"] = {"expr_str": "exec('raise SystemExit')", "hint": {"as_int": 4}}

    assert "got torch.os.system, need one of torch's" in refusal(rewritten(file, target, change=other_target))
    # Example inputs are not read, expressions of shapes are not evaluated.
    members = {"data/sample_inputs/model.pt": pickled()}
    assert find_source(rewritten(file, target, change=other_names, members=members)).batch == 2
    objects = {"config": {"thing": {"path_name": "opaque_obj_0", "use_pickle": True, "tensor_meta": None}}}
    members = {
        "data/constants/model_constants_config.json": json.dumps(objects),
        "data/constants/opaque_obj_0": pickle.dumps(Marker()),
    }
    assert "got an object of a class in 'thing'" in refusal(rewritten(file, target, members=members))
    members = {"data/aotinductor/model/net.so": b"\x7fELF"}
    assert "got a compiled library" in refusal(rewritten(file, target, members=members))


def test_a_pickled_weight_is_loaded_weights_only(exported, tmp_path):
    file = exported / "two.pt2"
    with zipfile.ZipFile(file) as archive:
        config = json.loads(archive.read(next(n for n in archive.namelist() if n.endswith("weights_config.json"))))
    config["config"]["head.bias"] |= {"use_pickle": True}
    members = {
        "data/weights/model_weights_config.json": json.dumps(config),
        f"data/weights/{config['config']['head.bias']['path_name']}": pickled(),
    }
    assert "got exec in it, which loading would run, need tensors alone" in refusal(
        rewritten(file, tmp_path / "b.pt2", members=members)
    )


def test_damaged_files_are_one_line(exported, tmp_path):
    file, target = exported / "two.pt2", tmp_path / "bad.pt2"
    whole = file.read_bytes()
    for content in (b"", b"PK\x03\x04", whole[:1000], whole[: len(whole) // 2]):
        target.write_bytes(content)
        assert "need a program whole as torch.export.save writes it" in refusal(str(target))
    assert "got No such file" in refusal(str(tmp_path / "none.pt2"))
    assert "got a compressed models/model.json" in refusal(rewritten(file, target, compress=zipfile.ZIP_DEFLATED))

    def without(*keys):
        def change(document):
            *before, last = keys
            for key in before:
                document = document[key]
            del document[last]

        return change

    for keys in (
        ("graph_module", "graph", "nodes"),
        ("graph_module", "signature"),
        ("graph_module", "graph", "tensor_values", "x"),
        ("graph_module", "graph", "nodes", 3, "outputs"),
        ("schema_version",),
    ):
        assert "got KeyError" in refusal(rewritten(file, target, change=without(*keys)))


def test_control_flow_on_values_is_refused(tmp_path):
    class Branch(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, x):
            return torch.cond(x.sum() > 0, lambda y: self.layer(y), lambda y: self.layer(y) + 1, (x,))

    file = tmp_path / "branch.pt2"
    torch.export.save(torch.export.export(Branch(), (torch.zeros(2, 8),)), file)
    assert "got torch.ops.higher_order.cond, need one of torch's and no control flow" in refusal(str(file))
