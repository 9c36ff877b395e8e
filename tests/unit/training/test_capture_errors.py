"""What cannot be captured says so in one line: where, what was got, what is needed, what to try."""

from __future__ import annotations

import sys
import threading

import pytest
import torch
from bisparse.configs.errors import CaptureError
from bisparse.training.capture import capture, capture_path, load_factory
from bisparse.training.capture_request import CaptureRequest
from bisparse.training.input_shape import InputShape, parse_input_shape
from torch import nn


class Applied(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 6)
        self.function = function

    def forward(self, x):
        return self.function(self.layer(x))


def refusal(module, shape=(6,), **options) -> str:
    with pytest.raises(CaptureError) as caught:
        capture(module, shape, name="net", default_batch=8, source="", **options)
    message = str(caught.value)
    assert "\n" not in message
    for word in ("got", "need", "try"):
        assert f"{word} " in message
    return message


def test_extent_that_is_not_affine_in_the_batch_names_the_operator():
    message = refusal(Applied(lambda x: (x @ x.t()).exp()))
    assert message.startswith("elements of model:transcendental: got 25 at batch 5, 49 at batch 7, 121 at batch 11")


def test_an_input_larger_than_torch_counts():
    message = refusal(Applied(lambda x: x), (2**31, 2**31))
    assert message.startswith("input: got 5x2147483648x2147483648 elements, 2147483648x2147483648 at batch 5, need ")


def test_operators_that_depend_on_the_batch():
    message = refusal(Applied(lambda x: x.relu() if x.shape[0] > 6 else x.exp()))
    assert "got other operators at batch 7 than at batch 5" in message


def test_convolution_that_folds_samples_into_channels():
    def folded(x):
        kernel = torch.ones(x.shape[0], 1, 3, device=x.device)
        return nn.functional.conv1d(x.unsqueeze(0), kernel, groups=x.shape[0])

    assert "channels, groups or extents change with the batch" in refusal(Applied(folded))


def test_reading_a_value_back_names_operator_and_module():
    # With data it would be captured from data.
    message = refusal(Applied(lambda x: x * x.sum().item()).to("meta"))
    assert message.startswith("net in aten._local_scalar_dense in module 'model': got RuntimeError")
    assert "without .item()" in message


def test_wrong_input_shape_names_the_operator_and_the_flag():
    message = refusal(Applied(torch.relu), (7,))
    assert message.startswith("net in aten.addmm in module 'layer'")
    assert "--input" in message


def test_nothing_to_train():
    assert "no trainable parameter" in refusal(nn.ReLU())
    assert "no parameter changes" in refusal(Applied(lambda x: x.detach()))


def test_output_without_a_tensor():
    assert "output of the module: got str" in refusal(Applied(lambda x: "text"))


def test_loss_that_is_no_scalar():
    assert "loss: got shape (5, 6)" in refusal(Applied(torch.relu), loss=lambda output: output)


def test_batch_below_one():
    with pytest.raises(CaptureError, match="batch: got 0, need an integer of at least 1"):
        capture(nn.Linear(2, 2), (2,), name="net", default_batch=0, source="")


def test_the_users_module_is_left_as_it_was():
    network = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6)).eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    capture(network, (6,), name="net", default_batch=8, source="")
    assert not network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_a_factory_that_reads_values_is_built_with_data():
    def factory():
        widths = [int(width.item()) for width in torch.linspace(4, 8, 2)]
        return nn.Sequential(nn.Linear(6, widths[0]), nn.Linear(widths[0], widths[1]))

    graph = capture(factory, (6,), name="net", default_batch=8, source="")
    assert len(list(graph.products)) == 5


def test_a_factory_that_fails():
    def factory():
        raise ValueError("no weights here")

    assert "got ValueError from the factory: no weights here" in refusal(factory)
    assert "got int, need a function that returns a torch.nn.Module" in refusal(lambda: 3)


def test_a_module_that_cannot_be_copied():
    network = nn.Linear(6, 6)
    network.lock = threading.Lock()
    assert "got TypeError while copying the module" in refusal(network)


@pytest.fixture
def project(tmp_path, request):
    """A folder with a module of a name that no other test uses."""
    name = f"user_model_{abs(hash(request.node.name))}"
    path = tmp_path / f"{name}.py"
    path.write_text(
        "import torch\nNUMBER = 3\n"
        "def small():\n    return torch.nn.Linear(6, 2)\n"
        "def loss(output):\n    return output.square().mean()\n"
    )
    return tmp_path, name, path


def test_factory_is_found_in_the_search_path(project):
    folder, name, _ = project
    assert isinstance(load_factory(f"{name}:small", folder)(), nn.Linear)


def test_factory_in_a_file_is_found_by_the_files_path(project, monkeypatch):
    folder, name, path = project
    made = load_factory(f"{path}:small")
    assert isinstance(made(), nn.Linear)
    # Once: the file and the module of its name are one.
    assert load_factory(f"{path.name}:small", folder) is made
    monkeypatch.chdir(folder)
    assert load_factory(f"./{name}.py:small") is made
    with pytest.raises(CaptureError, match=r"got no file .*nowhere\.py, need one"):
        load_factory("nowhere.py:small", folder)


def test_a_file_with_the_name_of_an_installed_module_is_itself(tmp_path):
    (tmp_path / "json.py").write_text("import torch\ndef small():\n    return torch.nn.Linear(3, 1)\n")
    made = load_factory(f"{tmp_path / 'json.py'}:small")
    assert made().in_features == 3
    assert load_factory(f"{tmp_path / 'json.py'}:small") is made
    assert sys.modules["json"].__name__ == "json"


@pytest.mark.parametrize("path", ["", "module", "module:", ":factory"])
def test_factory_of_the_wrong_form(path):
    with pytest.raises(CaptureError, match=r"need package\.module:factory"):
        load_factory(path)


def test_factory_that_is_missing_lists_what_there_is(project):
    folder, name, _ = project
    with pytest.raises(CaptureError, match=r"got no 'smal' in .* try one of: loss, small"):
        load_factory(f"{name}:smal", folder)


def test_module_that_is_missing(tmp_path):
    with pytest.raises(CaptureError, match="got no module 'nowhere_at_all'"):
        load_factory("nowhere_at_all:factory", tmp_path)


def test_module_that_cannot_be_imported(project):
    folder, name, path = project
    path.write_text("import a_package_nobody_has\n")
    with pytest.raises(CaptureError, match="try pip install a_package_nobody_has"):
        load_factory(f"{name}:small", folder)
    path.write_text("1 / 0\n")
    with pytest.raises(CaptureError, match="got ZeroDivisionError while importing"):
        load_factory(f"{name}:small", folder)


def test_attribute_that_is_no_function(project):
    folder, name, _ = project
    with pytest.raises(CaptureError, match="got a int, need a function"):
        load_factory(f"{name}:NUMBER", folder)


def test_loss_by_name_and_by_path(project):
    folder, name, _ = project

    def captured(loss):
        options = {"name": "net", "default_batch": 8, "source": "", "search_path": folder}
        return capture_path(f"{name}:small", [InputShape((6,))], request=CaptureRequest(loss=loss), **options)

    assert "loss:log_softmax" in captured("cross-entropy").tensors
    assert "loss:reduce" in captured(f"{name}:loss").tensors
    with pytest.raises(CaptureError, match="one of: cross-entropy, token-cross-entropy, mean"):
        captured("hinge")


@pytest.mark.parametrize("text", ["3x224x224", "512:int", "7"])
def test_input_shape_reads_what_it_prints(text):
    assert str(parse_input_shape(text)) == text


@pytest.mark.parametrize("text", ["", "3x", "0x4", "3,224", "512:float", "-3x2", "3x224x224:"])
def test_input_shape_of_the_wrong_form(text):
    with pytest.raises(CaptureError, match=r"--input: got .* try 3x224x224"):
        parse_input_shape(text)


def lazy():
    return nn.Sequential(nn.Linear(6, 6), nn.LazyLinear(3))


def run_once():
    network = lazy()
    network(torch.zeros(1, 6))
    return network


@pytest.mark.parametrize("source", [lazy, lazy()])
def test_a_lazy_layer_is_named_with_what_to_do(source):
    assert refusal(source).startswith(
        "1: got a lazy layer without a weight, need one; try running the model once first"
    )


def test_a_lazy_layer_that_ran_once_is_a_layer():
    graph = capture(run_once, (6,), name="net", default_batch=8, source="")
    assert graph.macs(1) == 2 * (36 + 18) + 18
