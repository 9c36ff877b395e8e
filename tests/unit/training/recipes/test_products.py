"""Forward pass, input gradient and weight gradient of every recipe in every phase, against its definition in numpy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from bisparse.configs.pattern import Pattern
from bisparse.training.recipes.in_torch import apply
from torch import nn

EXACTLY = {"rtol": 1e-12, "atol": 1e-12}
"""Of float64: the order of summation is the device's own."""


@dataclass(frozen=True)
class Shape:
    """A layer, its input, and how the witness walks it."""

    name: str
    kind: type[nn.Module]
    channels: tuple[int, int]
    input: tuple[int, ...]
    options: dict[str, Any] = field(default_factory=dict)
    output_size: list[int] | None = None
    padding: tuple[int, ...] | None = None
    """On the left, where the layer's own says it in words."""

    def __str__(self):
        return self.name


SHAPES = (
    Shape("linear", nn.Linear, (8, 12), (3, 8)),
    Shape("linear-tokens", nn.Linear, (8, 12), (2, 3, 8), {"bias": False}),
    Shape("linear-one-sample", nn.Linear, (8, 12), (8,)),
    # Neither 32 nor 16 divides its channels: early geometric frames leave it dense.
    Shape("linear-24", nn.Linear, (24, 12), (3, 24)),
    Shape("linear-wide", nn.Linear, (32, 16), (2, 2, 1, 32)),
    Shape("conv1d", nn.Conv1d, (8, 12), (2, 8, 7), {"kernel_size": 3, "stride": 2, "padding": 2, "dilation": 2}),
    Shape("conv2d", nn.Conv2d, (8, 12), (2, 8, 4, 3), {"kernel_size": 3, "padding": 1, "bias": False}),
    Shape(
        "conv2d-uneven",
        nn.Conv2d,
        (4, 8),
        (2, 4, 5, 6),
        {"kernel_size": (2, 3), "stride": (2, 1), "padding": (1, 0), "dilation": (1, 2)},
    ),
    Shape("conv2d-grouped", nn.Conv2d, (8, 16), (2, 8, 3, 3), {"kernel_size": 2, "groups": 2}),
    Shape("conv2d-pointwise", nn.Conv2d, (32, 8), (2, 32, 2, 2), {"kernel_size": 1}),
    Shape("conv2d-one-sample", nn.Conv2d, (4, 8), (4, 3, 3), {"kernel_size": 2, "padding": 1}),
    *(
        Shape(
            f"conv2d-{mode}",
            nn.Conv2d,
            (4, 8),
            (2, 4, 4, 3),
            {"kernel_size": 3, "padding": (2, 1), "stride": (1, 2), "padding_mode": mode},
        )
        for mode in ("circular", "reflect", "replicate")
    ),
    Shape(
        "conv2d-same",
        nn.Conv2d,
        (4, 8),
        (2, 4, 3, 4),
        {"kernel_size": (2, 3), "dilation": (3, 1), "padding": "same"},
        padding=(1, 1),
    ),
    Shape(
        "conv1d-same-circular-one-sample",
        nn.Conv1d,
        (4, 8),
        (4, 5),
        {"kernel_size": 4, "padding": "same", "padding_mode": "circular"},
        padding=(1,),
    ),
    Shape("conv1d-valid", nn.Conv1d, (4, 8), (2, 4, 5), {"kernel_size": 2, "padding": "valid"}, padding=(0,)),
    Shape(
        "conv3d",
        nn.Conv3d,
        (8, 8),
        (2, 8, 2, 3, 2),
        {"kernel_size": (1, 2, 2), "stride": (1, 2, 1), "padding": (0, 1, 1), "groups": 2},
    ),
    Shape(
        "transposed1d",
        nn.ConvTranspose1d,
        (8, 12),
        (2, 8, 4),
        {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1},
    ),
    Shape(
        "transposed2d-grouped",
        nn.ConvTranspose2d,
        (8, 16),
        (2, 8, 2, 3),
        {"kernel_size": (2, 3), "stride": (2, 1), "padding": (0, 1), "dilation": (2, 1), "groups": 2, "bias": False},
    ),
    Shape("transposed2d-told-size", nn.ConvTranspose2d, (4, 8), (1, 4, 2, 2), {"kernel_size": 2, "stride": 3}, [6, 7]),
    Shape("transposed1d-one-sample", nn.ConvTranspose1d, (8, 4), (8, 3), {"kernel_size": 2, "stride": 2}, [4, 7]),
    Shape(
        "transposed3d",
        nn.ConvTranspose3d,
        (4, 8),
        (1, 4, 2, 1, 2),
        {"kernel_size": 2, "stride": (1, 2, 2), "output_padding": (0, 1, 0)},
    ),
)


def made(shape: Shape) -> nn.Module:
    return shape.kind(*shape.channels, **shape.options).double()


def advanced(applied, case):
    state = applied.state_dict()
    state["clock"] = {"step": case.step, "switch_step": case.switched}
    applied.load_state_dict(state)
    return applied


def called(module: nn.Module, shape: Shape, values: torch.Tensor) -> torch.Tensor:
    return module(values) if shape.output_size is None else module(values, shape.output_size)


class Expected:
    """What numpy makes of one product under a recipe."""

    def __init__(self, witness, shape: Shape, module: nn.Module, values: np.ndarray, gradient: np.ndarray):
        self.witness, self.shape = witness, shape
        self.linear = shape.kind is nn.Linear
        self.transposed = issubclass(shape.kind, nn.modules.conv._ConvTransposeNd)
        self.groups = shape.options.get("groups", 1)
        self.weight = witness.canonical(module.weight.detach().numpy(), self.groups, self.transposed)
        self.bias = None if module.bias is None else module.bias.detach().numpy()
        self.values, self.gradient, self.module = values, gradient, module

    def passes(self, forward_weight, backward_weight, moving):
        """z, dx and dW in the layer's own shapes."""
        if self.linear:
            rows = [each.reshape(-1, each.shape[-1]) for each in (self.values, self.gradient, moving)]
            taps, kernel_axes = [((), (), ())], 0
        else:
            # A single sample is a batch of one.
            axes = kernel_axes = self.weight.ndim - 3
            rows = [each.reshape(-1, *each.shape[-axes - 1 :]) for each in (self.values, self.gradient, moving)]
            padding = self.shape.padding or self.module.padding
            convolution = self.witness.Convolution(
                self.module.kernel_size,
                self.module.stride,
                padding,
                self.module.dilation,
                self.module.padding_mode,
                self.transposed,
            )
            taps = list(convolution.taps(self.values.shape[-axes:], self.gradient.shape[-axes:]))
        assert self.weight.ndim == 3 + kernel_axes
        output, input_gradient, weight_gradient = self.witness.passes(
            taps, rows[0], forward_weight, backward_weight, self.bias, rows[1], rows[2]
        )
        return (
            output.reshape(self.gradient.shape),
            input_gradient.reshape(self.values.shape),
            self.witness.stored(weight_gradient, self.transposed),
        )

    @property
    def bias_gradient(self):
        axis = -1 if self.linear else self.gradient.ndim - (self.weight.ndim - 3) - 1
        return np.moveaxis(self.gradient, axis, -1).reshape(-1, self.gradient.shape[axis]).sum(0)

    def pruned(self, kept, group, draws=None):
        """dz as SDGP prunes it, without rescaling."""
        if self.linear:
            return self.witness.pruned_gradient(self.gradient, kept, group, 1, draws=draws, linear=True)
        axes = self.weight.ndim - 3
        batched = self.gradient.reshape(-1, *self.gradient.shape[-axes - 1 :])
        return self.witness.pruned_gradient(batched, kept, group, self.groups, draws=draws).reshape(self.gradient.shape)

    def rescaled(self, pruned):
        if self.linear:
            positions = tuple(range(1, self.gradient.ndim - 1))
        else:
            positions = tuple(range(self.gradient.ndim - (self.weight.ndim - 3), self.gradient.ndim))
        return self.witness.maxnorm(pruned, self.gradient, positions) if positions else pruned


def run(module: nn.Module, shape: Shape):
    """Values, output, a random output gradient, and what came back."""
    torch.manual_seed(1)
    values = torch.randn(shape.input, dtype=torch.float64, requires_grad=True)
    output = called(module, shape, values)
    gradient = torch.randn_like(output)
    output.backward(gradient)
    return values, output, gradient


def checked(witness, shape, module, forward_weight_of, moving_of):
    values, output, gradient = run(module, shape)
    expected = Expected(witness, shape, module, values.detach().numpy(), gradient.numpy())
    forward_weight, backward_weight = forward_weight_of(expected)
    z, dx, dw = expected.passes(forward_weight, backward_weight, moving_of(expected))
    np.testing.assert_allclose(output.detach().numpy(), z, **EXACTLY)
    np.testing.assert_allclose(values.grad.numpy(), dx, **EXACTLY)
    np.testing.assert_allclose(module.weight.grad.numpy(), dw, **EXACTLY)
    if module.bias is not None:
        np.testing.assert_allclose(module.bias.grad.numpy(), expected.bias_gradient, **EXACTLY)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_three_passes_are_those_of_the_definition(shape, case, witness, shipped):
    torch.manual_seed(0)
    module = made(shape)
    recipe = shipped(case.recipe)
    applied = advanced(apply(module, recipe, Pattern(2, 4), steps=witness.STEPS), case)
    order = None
    if case.recipe == "bi-mask":
        module(torch.randn(shape.input, dtype=torch.float64))
        order = applied.state_dict()["layers"][""]["order"].numpy()

    def moving(expected):
        if not case.recipe.startswith("sdgp"):
            return expected.gradient
        pruned = expected.pruned(2, 4)
        return expected.rescaled(pruned) if case.recipe == "sdgp-maxnorm" else pruned

    checked(witness, shape, module, lambda expected: witness.weights(case, expected.weight, 2, 4, order), moving)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("rescale", [False, True])
def test_sdgp_may_draw_which_of_a_group_are_kept(shape, rescale, witness, shipped):
    torch.manual_seed(0)
    module = made(shape)
    backward = shipped("sdgp").backward.model_copy(update={"selection": "random", "rescale": rescale})
    apply(module, shipped("sdgp", backward=backward), Pattern(2, 4), seed=5)

    def moving(expected):
        channels = expected.gradient.shape[-1] if expected.linear else shape.channels[1]
        drawn_shape = expected.gradient.shape
        if not expected.linear:
            axes = expected.weight.ndim - 3
            space = expected.gradient.shape[-axes:]
            drawn_shape = (expected.gradient.size // channels // int(np.prod(space)), expected.groups, -1, *space)
            drawn_shape = tuple(channels // expected.groups if each == -1 else each for each in drawn_shape)
        draws = torch.rand(drawn_shape, generator=torch.Generator().manual_seed(5)).numpy()
        if expected.linear:
            draws = (draws[None] if draws.ndim == 1 else np.moveaxis(draws, -1, 1))[:, None]
        pruned = expected.pruned(2, 4, draws)
        return expected.rescaled(pruned) if rescale else pruned

    checked(witness, shape, module, lambda expected: (expected.weight, expected.weight), moving)


def test_random_selection_keeps_n_of_each_group_everywhere_alike(shipped):
    backward = shipped("sdgp").backward.model_copy(update={"selection": "random"})
    module = nn.Linear(8, 8, bias=False)
    nn.init.eye_(module.weight)
    apply(module, shipped("sdgp", backward=backward), Pattern(2, 8))
    values = torch.zeros(4000, 8, requires_grad=True)
    module(values).sum().backward()
    assert values.grad.count_nonzero(1).unique().tolist() == [2]
    assert (values.grad.mean(0) - 0.25).abs().max() < 0.03, "four standard deviations"


SHORT = (
    Shape("linear", nn.Linear, (6, 10), (3, 6)),
    Shape("conv2d-grouped", nn.Conv2d, (12, 14), (2, 12, 3, 3), {"kernel_size": 2, "groups": 2}),
    Shape("conv2d-depthwise", nn.Conv2d, (3, 6), (2, 3, 3, 3), {"kernel_size": 2, "groups": 3}),
    Shape("transposed1d-grouped", nn.ConvTranspose1d, (14, 10), (2, 14, 3), {"kernel_size": 2, "groups": 2}),
)
"""Channels that 4 does not divide, so that the last group is short."""


@pytest.mark.parametrize("shape", SHORT, ids=str)
@pytest.mark.parametrize("name", ["sr-ste", "sdgp", "bdwp", "bi-mask", "transposable"])
def test_a_short_last_group_keeps_up_to_n(shape, name, witness, shipped):
    module = made(shape)
    applied = apply(module, shipped(name, indivisible=False), Pattern(2, 4))
    assert applied.dense_reasons == {}
    order = None
    if name == "bi-mask":
        module(torch.randn(shape.input, dtype=torch.float64))
        order = applied.state_dict()["layers"][""]["order"].numpy()
    case = witness.Case(name)
    checked(
        witness,
        shape,
        module,
        lambda expected: witness.weights(case, expected.weight, 2, 4, order),
        lambda expected: expected.pruned(2, 4) if name == "sdgp" else expected.gradient,
    )


@pytest.mark.parametrize("pattern", [(1, 2), (1, 4), (3, 4), (2, 8), (4, 8), (1, 16), (8, 16), (1, 32), (16, 32)])
@pytest.mark.parametrize("name", ["bdwp", "sdgp"])
def test_any_ratio_up_to_groups_of_32(pattern, name, witness, shipped):
    shape = Shape("linear", nn.Linear, (64, 32), (3, 64))
    module = made(shape)
    apply(module, shipped(name), Pattern(*pattern))
    checked(
        witness,
        shape,
        module,
        lambda expected: witness.weights(witness.Case(name), expected.weight, *pattern),
        lambda expected: expected.pruned(*pattern) if name == "sdgp" else expected.gradient,
    )


@pytest.mark.parametrize("name", ["bdwp", "transposable", "bi-mask"])
@pytest.mark.parametrize(("channels", "stage"), [((8, 10), "FF"), ((10, 8), "BP")])
def test_a_layer_whose_channels_fit_in_one_stage_alone_is_dense_in_the_other(name, channels, stage, witness, shipped):
    torch.manual_seed(0)
    module = nn.Linear(*channels).double()
    recipe = shipped(name)
    applied = apply(module, recipe, Pattern(2, 4))
    other = "BP" if stage == "FF" else "FF"
    assert set(applied.dense_reasons) == {f":{other}"}
    values, _, gradient = run(module, Shape("", nn.Linear, channels, (3, channels[0])))
    master = module.weight.detach().numpy()
    canonical = master[None]
    if name == "transposable":
        mask = witness.transposable_mask(canonical, 2, 4)[0]
    elif stage == "FF":
        mask = witness.forward_mask(canonical, 2, 4)[0]
    elif name == "bdwp":
        mask = witness.backward_mask(canonical, 2, 4)[0]
    else:
        order = applied.state_dict()["layers"][""]["order"].numpy()
        mask = witness.permuted_mask(canonical, 2, 4, np.ones_like(canonical, bool), order)[0]
    forward = master * mask if stage == "FF" else master
    backward = master * mask if stage == "BP" else (forward if recipe.backward_weight == "forward" else master)
    np.testing.assert_allclose(
        (values @ torch.tensor(forward).T + module.bias).detach(), module(values).detach(), **EXACTLY
    )
    np.testing.assert_allclose(values.grad, gradient @ torch.tensor(backward), **EXACTLY)


def test_a_transposable_recipe_multiplies_by_one_mask_whatever_backward_weight_says(shipped, witness):
    module = nn.Linear(8, 8).double()
    apply(module, shipped("transposable", backward_weight="master"), Pattern(2, 4))
    values, _, gradient = run(module, Shape("", nn.Linear, (8, 8), (3, 8)))
    master = module.weight.detach().numpy()
    both = master * witness.transposable_mask(master[None], 2, 4)[0]
    np.testing.assert_allclose(values.grad, gradient @ torch.tensor(both), **EXACTLY)


def test_a_leak_holds_in_both_stages_of_a_recipe_that_prunes_both(shipped, witness):
    schedule = shipped("mdgf-linear").schedule
    module = nn.Linear(8, 8, bias=False).double()
    applied = apply(module, shipped("bdwp", schedule=schedule), Pattern(2, 4), steps=20)
    advanced(applied, witness.Case("bdwp", step=9))
    values, output, gradient = run(module, Shape("", nn.Linear, (8, 8), (3, 8)))
    master = module.weight.detach().numpy()
    forward = np.where(witness.forward_mask(master[None], 2, 4)[0], master, master / 2)
    backward = np.where(witness.backward_mask(master[None], 2, 4)[0], master, master / 2)
    np.testing.assert_allclose(output.detach(), values.detach().numpy() @ forward.T, **EXACTLY)
    np.testing.assert_allclose(values.grad, gradient.numpy() @ backward, **EXACTLY)


@pytest.mark.parametrize("name", ["dense", "bdwp", "sdgp"])
def test_layers_without_a_gradient_to_give_still_multiply(name, shipped):
    """A frozen weight, an input without gradient, evaluation in each of torch's modes, an empty batch."""
    module = nn.Linear(8, 8)
    applied = apply(module, shipped(name), Pattern(2, 4))
    with torch.inference_mode():
        module(torch.randn(2, 8))
    module(torch.randn(2, 8, requires_grad=True)).sum().backward()
    assert module.weight.grad is not None, "it trains after an evaluation in inference mode"
    module.weight.requires_grad_(False)
    values = torch.randn(2, 8, requires_grad=True)
    module(values).sum().backward()
    assert values.grad is not None
    with torch.inference_mode():
        evaluated = module(values)
    with torch.no_grad():
        assert torch.equal(evaluated, module(values))
    assert torch.equal(evaluated, module(values))
    module(values).sum().backward()
    assert module(torch.zeros(0, 8)).shape == (0, 8)
    assert applied.step == 0
