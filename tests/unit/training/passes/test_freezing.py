"""Frozen parameters: what is left of a training step, against torch's own gradients of a module so frozen."""

from fnmatch import fnmatchcase

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.configs.library import find
from bisparse.training.graph import Stage
from bisparse.training.graph_consistency import check_order
from bisparse.training.graph_file import load_graph
from bisparse.training.passes.freezing import with_frozen
from hypothesis import given, settings
from hypothesis import strategies as some

from .conftest import captured, counted

RESNET = load_graph(find("workloads", "resnet9-cifar10"))
LAYERS = sorted({operator.module for operator in RESNET.products})


@pytest.mark.parametrize(
    ("name", "frozen"),
    [
        ("cnn", ("0.*", "1.*", "5.*")),
        ("cnn", ("5.weight",)),
        ("cnn", ("12.*",)),
        ("cnn", ("?.*", "12.bias")),
        ("residual", ("stem.*", "norm.*")),
        ("residual", ("stem.*", "first.*", "norm.*")),
        ("transformer", ("*_embedding.*", "blocks.0.*")),
        ("transformer", ("blocks.*.attention.*",)),
        ("transformer", ("*embedding.*", "blocks.*.weight", "norm.weight")),
        ("transformer", ("token_embedding.weight",)),
        ("transformer", ("blocks.?.norm1.weight",)),
    ],
)
def test_it_equals_the_capture_of_a_module_so_frozen(networks, name, frozen):
    make, shape = networks[name]
    module = make()
    for path, parameter in module.named_parameters():
        if any(fnmatchcase(path, pattern) for pattern in frozen):
            parameter.requires_grad_(False)
    assert counted(with_frozen(captured(make(), shape), ",".join(frozen))) == counted(captured(module, shape))


def test_a_module_stands_for_all_that_it_holds():
    assert with_frozen(RESNET, "3").operators == with_frozen(RESNET, "3.*").operators


def test_there_is_no_backward_product_below_the_first_learner():
    left = with_frozen(RESNET, "0,1,3")
    below = [each for each in left.products if each.module.split(".")[0] in ("0", "1", "3")]
    assert {each.stage for each in below} == {Stage.FORWARD}
    (first,) = (each for each in left.products if each.module == "4.0" and each.stage is not Stage.FORWARD)
    assert first.stage is Stage.WEIGHT_GRADIENT


def test_what_a_backward_pass_that_is_gone_would_have_read_is_kept_no_more():
    stashed = {tensor.name for tensor in with_frozen(RESNET, "0,1,3").saved_activations()}
    assert not {name for name in stashed if name.split(".")[0] in ("0", "1")}
    assert len(stashed) < len(RESNET.saved_activations())


@settings(max_examples=20, deadline=None)
@given(some.sets(some.sampled_from(LAYERS), min_size=1, max_size=len(LAYERS) - 1), some.sampled_from(LAYERS))
def test_freezing_more_is_never_more_work(names, more):
    few, many = (with_frozen(RESNET, ",".join(sorted(each))) for each in (names, names | {more}))
    for graph in (few, many):
        check_order(graph.operators)
        assert graph.macs(8, Stage.FORWARD) == RESNET.macs(8, Stage.FORWARD)
        read = {name for operator in graph.operators for name in operator.inputs}
        gradients = [each for each in graph.operators if each.stage in (Stage.BACKWARD, Stage.WEIGHT_GRADIENT)]
        assert all(name in read for each in gradients for name in each.outputs)
    assert {each.name for each in many.operators} <= {each.name for each in few.operators}
    assert not [each for each in many.operators if each.stage is Stage.UPDATE and each.module in names | {more}]


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        ("nothing", "freeze: got 'nothing', need a parameter that learns of resnet9-cifar10, with \\* and \\?; try "),
        ("0,,1", "freeze: got '0,,1', need a name on both sides of a comma"),
        ("*", "freeze: got '\\*', need a parameter of resnet9-cifar10 that still learns; try --pass inference"),
    ],
)
def test_what_freezes_nothing_or_everything_is_refused(patterns, message):
    with pytest.raises(ConfigError, match=f"^{message}"):
        with_frozen(RESNET, patterns)
