"""The Python face: what it takes for a module, its inputs and its loss, and how it refuses the rest."""

import pytest
import torch
from bisparse.reports import read_run
from bisparse.sim import on_design
from bisparse.training.graph import Stage, TrainingGraph
from torch import nn

import bisparse

TOKENS = 6


class Reader(nn.Module):
    """An embedding and a head, over one or several token sequences."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(32, 16)
        self.head = nn.Linear(16, 8)

    def forward(self, *sequences: torch.Tensor) -> torch.Tensor:
        return self.head(sum(self.table(sequence) for sequence in sequences))


class Weighted(Reader):
    """The same with a weight a token, which is no index."""

    def forward(self, tokens: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        return self.head(self.table(tokens) * weights.unsqueeze(-1))


def mean(output: torch.Tensor) -> torch.Tensor:
    return output.mean()


def inputs(graph: TrainingGraph) -> dict[str, bool]:
    """Whether each input holds indices; labels are not asked for."""
    return {name: tensor.integer for name, tensor in graph.tensors.items() if name.startswith("input")}


@pytest.mark.parametrize(
    ("shape", "integer"),
    [
        ((TOKENS,), True),
        ([TOKENS], True),
        ([(TOKENS,)], [0]),
        ("6:int", False),
        (["6:int"], False),
        ("6", True),
        (bisparse.InputShape((TOKENS,), integer=True), False),
        ([bisparse.InputShape((TOKENS,))], (0,)),
    ],
)
def test_one_input_of_tokens_may_be_told_in_many_ways(shape, integer):
    graph = bisparse.capture(Reader(), shape, integer_inputs=integer)
    assert inputs(graph) == {"input": True}
    assert graph.macs(2, Stage.FORWARD) == 2 * TOKENS * 16 * 8


def test_several_inputs_are_a_list():
    both = bisparse.capture(Reader(), ["6:int", (TOKENS,)], integer_inputs=[1])
    assert inputs(both) == {"input.0": True, "input.1": True}
    mixed = bisparse.capture(Weighted(), [(TOKENS,), (TOKENS,)], integer_inputs=[0])
    assert inputs(mixed) == {"input.0": True, "input.1": False}


def test_the_loss_is_the_default_a_name_or_a_function():
    def kinds(loss) -> set[str]:
        return {operator.kind for operator in bisparse.capture(Reader(), "6:int", loss=loss).operators}

    assert "nll_loss" in kinds(None), "an output [B, T, vocabulary] of a module that reads tokens"
    assert "nll_loss" in kinds("token-cross-entropy")
    assert "nll_loss" not in kinds("mean") | kinds(mean)
    with pytest.raises(bisparse.CaptureError, match=r"loss: got 'maen', need package\.module:function or one of"):
        kinds("maen")


def test_a_module_of_tokens_is_simulated_at_once_and_so_is_a_function_that_makes_it():
    given = {"input_shape": "6:int", "loss": mean, "batch": 4, "recipe": "dense"}
    result = bisparse.simulate(Reader(), **given)
    graph = bisparse.capture(Reader(), (TOKENS,), integer_inputs=True, loss=mean)
    assert result.useful_macs == graph.macs(4)
    assert bisparse.simulate(Reader, **given).total_cycles == result.total_cycles
    pair = bisparse.compare(Reader(), recipes=["dense", "bdwp"], input_shape=["6:int", "6:int"], batch=4)
    assert [each.batch for each in pair] == [4, 4]


@pytest.mark.parametrize("shape", [(0,), (3, -1), (3, 2.5), (3, "x"), 7, [(3, "x")], [[(3,)]], (True,), None])
def test_an_input_of_no_shape_is_refused(shape):
    with pytest.raises(bisparse.CaptureError, match=r"input_shape: got .*, need positive extents of one sample"):
        bisparse.capture(Reader(), shape)


def test_positions_that_are_none_are_refused():
    with pytest.raises(bisparse.CaptureError, match="integer_inputs: got 'yes', need True, False or positions"):
        bisparse.capture(Reader(), (TOKENS,), integer_inputs="yes")


@pytest.mark.parametrize("text", ["3x", "3x0", "512:float", ""])
def test_a_text_of_no_shape_is_refused(text):
    with pytest.raises(bisparse.CaptureError, match=f"input_shape: got '{text}', need positive extents"):
        bisparse.capture(Reader(), text)


@pytest.mark.parametrize(
    ("model", "given", "message"),
    [
        (Reader(), {}, "input_shape: got nothing, need the extents of one sample; try input_shape="),
        (7, {"input_shape": (3,)}, "int: got int, need a torch module or a function that makes one"),
        (
            "resnet9-cifar10",
            {"input_shape": (3,)},
            "input_shape, integer_inputs, loss: got one of them with a captured",
        ),
        ("resnet9-cifar10", {"sparsity": 8}, "sparsity: got '8', need N:M such as 2:8"),
        (Reader(), {"input_shape": "6:int", "batch": "x"}, "batch: got 'x', need an integer of at least 1"),
    ],
)
def test_a_wrong_argument_is_refused_in_one_line(model, given, message):
    with pytest.raises(bisparse.BisparseError) as wrong:
        bisparse.simulate(model, **given)
    assert str(wrong.value).startswith(message)
    assert "\n" not in str(wrong.value)


def test_a_batch_that_is_no_count_is_refused_at_capture():
    with pytest.raises(
        bisparse.CaptureError, match=r"captured: batch: got 2\.5, need an integer of at least 1; try 32"
    ):
        bisparse.capture(Reader(), "6:int", default_batch=2.5)


def test_a_ratio_may_be_a_pattern():
    by_text, by_pattern = (
        bisparse.simulate("resnet9-cifar10", sparsity=each) for each in ("2:4", bisparse.Pattern(2, 4))
    )
    assert by_text.total_cycles == by_pattern.total_cycles


def test_a_result_writes_its_report_with_the_call_that_repeats_it(tmp_path):
    result = bisparse.simulate("resnet9-cifar10", batch=8, optimizer="adam", pass_="inference")
    page = result.report(tmp_path / "run")
    assert page == tmp_path / "run" / "report.html"
    call = "bisparse.simulate('resnet9-cifar10', 'sat-vcu1525', 'bdwp', '2:8', batch=8, optimizer='adam', "
    assert f"{call}pass_='inference')" in (tmp_path / "run" / "report.md").read_text()
    (again,) = read_run(tmp_path / "run")
    assert again.report(tmp_path / "again").read_bytes() == page.read_bytes()
    dense = bisparse.simulate("resnet9-cifar10", recipe="dense", batch=8)
    dense.report(tmp_path / "dense")
    assert "'sat-vcu1525', 'dense', batch=8)" in (tmp_path / "dense" / "report.md").read_text()


def test_inference_rests_on_weights_made_once_whatever_a_design_does_in_training():
    def cycles(**options):
        return bisparse.simulate("resnet9-cifar10", batch=8, **options).total_cycles

    assert cycles(pass_="inference", pre_generation=False) == cycles(pass_="inference")
    assert cycles(pre_generation=False) > cycles()


def test_a_process_keeps_searches_of_a_few_designs_and_not_without_end(monkeypatch):
    monkeypatch.setattr(on_design, "_designs", type(on_design._designs)())
    monkeypatch.setattr(on_design, "_KEPT_PRODUCTS", 10)
    for clock in range(6):
        bisparse.simulate("resnet9-cifar10", {"extends": "sat-vcu1525", "clock_hz": f"{200 + clock} MHz"}, batch=8)
    assert len(on_design._designs) == on_design._KEPT_DESIGNS
    (last,) = list(on_design._designs.values())[-1:]
    bisparse.simulate("resnet9-cifar10", {"extends": "sat-vcu1525", "clock_hz": "205 MHz"}, batch=8)
    assert list(on_design._designs.values())[-1] is not last
