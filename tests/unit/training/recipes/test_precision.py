"""Sixteen-bit operands with FP32 sums, against numpy's own halves and a hand-written rounding to BF16."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.configs.pattern import Pattern
from bisparse.training.recipes.in_torch import apply
from bisparse.training.recipes.in_torch.precision import rounded
from torch import nn

STEP = {"fp16": 2.0**-10, "bf16": 2.0**-7}
"""Between neighbours at 1."""


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_rounding_is_to_nearest_even_with_denormals_and_overflow(precision, witness):
    generator = np.random.default_rng(0)
    step = STEP[precision]
    values = np.concatenate([
        generator.normal(size=500) * 10.0 ** generator.integers(-9, 9, 500),
        [1 + step / 2, 1 + 3 * step / 2, 65504, 65519.9, 65520, -1e6, 6e-8, 2.9e-8, 1e-40, 0.0, -0.0, np.inf],
    ]).astype(np.float32)  # fmt: skip
    found = rounded(torch.from_numpy(values), precision).numpy()
    assert found.dtype == np.float32
    assert np.array_equal(found.view(np.uint32), witness.rounded(values, precision).view(np.uint32))


def coarse(generator, *shape):
    """Numbers that 16 bits nearly hold: a few bits, and a little more that rounding takes away.

    Sums of their products are exact in FP32, so that the order of summation does not matter.
    """
    values = generator.integers(-16, 17, shape) / 8.0
    return (values * (1 + 2.0**-14)).astype(np.float32)


LAYERS = {
    "linear": lambda: nn.Linear(8, 8),
    "conv2d": lambda: nn.Conv2d(8, 8, 2, padding=1),
    "conv2d-circular": lambda: nn.Conv2d(8, 8, 3, padding=1, padding_mode="circular"),
    "transposed2d": lambda: nn.ConvTranspose2d(8, 8, 2, stride=2, bias=False),
}


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
@pytest.mark.parametrize("name", ["dense", "bdwp", "sdgp"])
@pytest.mark.parametrize("layer", LAYERS)
def test_operands_are_rounded_and_products_summed_in_fp32_bit_for_bit(precision, name, layer, witness, shipped):
    generator = np.random.default_rng(1)
    module = LAYERS[layer]()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.from_numpy(coarse(generator, *parameter.shape)))
    apply(module, shipped(name), Pattern(2, 4), precision=precision)
    x = torch.from_numpy(coarse(generator, 2, 8, *(() if layer == "linear" else (3, 3)))).requires_grad_()
    output = module(x)
    dz = torch.from_numpy(coarse(generator, *output.shape))
    output.backward(dz)

    def operand(values):
        return witness.rounded(values, precision)

    transposed = layer.startswith("transposed")
    weight = witness.canonical(module.weight.detach().numpy(), 1, transposed)
    forward, backward = (operand(each) for each in witness.weights(witness.Case(name), weight, 2, 4))
    values, gradient = operand(x.detach().numpy()), operand(dz.numpy())
    moving = gradient
    if name == "sdgp":
        moving = witness.pruned_gradient(gradient, 2, 4, 1, linear=layer == "linear")
    taps = [((), (), ())]
    if layer != "linear":
        convolution = witness.Convolution(
            module.kernel_size, module.stride, module.padding, module.dilation, module.padding_mode, transposed
        )
        taps = list(convolution.taps(x.shape[2:], dz.shape[2:]))
    bias = None if module.bias is None else module.bias.detach().numpy()
    z, dx, dw = witness.passes(taps, values, forward, backward, bias, gradient, moving)
    assert np.array_equal(output.detach(), operand(z))
    assert np.array_equal(module.weight.grad, witness.stored(dw, transposed)), "FP32 sums, not rounded"
    if layer == "conv2d-circular":
        # What is padded passes its gradients on one by one.
        np.testing.assert_allclose(x.grad, dx, atol=4 * STEP[precision] * abs(dx).max())
    else:
        assert np.array_equal(x.grad, operand(dx))
    if bias is not None:
        assert np.array_equal(module.bias.grad, gradient.sum((0, *range(2, gradient.ndim))))


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_a_rescaled_gradient_is_an_operand_of_16_bits_again(precision, witness, shipped):
    module = nn.Linear(8, 8, bias=False)
    nn.init.eye_(module.weight)
    apply(module, shipped("sdgp-maxnorm"), Pattern(2, 4), precision=precision)
    dz = np.random.default_rng(2).normal(size=(2, 5, 8)).astype(np.float32)
    x = torch.zeros(2, 5, 8, requires_grad=True)
    # Summed in pairs with a weight of ones, so that rounding the sum alone would show.
    with torch.no_grad():
        module.weight.add_(torch.eye(8).roll(1, 0))
    module(x).backward(torch.from_numpy(dz))
    gradient = witness.rounded(dz, precision)
    pruned = witness.pruned_gradient(gradient, 2, 4, 1, linear=True)
    moving = witness.rounded(witness.maxnorm(pruned, gradient, (1,)), precision)
    weight = witness.rounded(module.weight.detach().numpy(), precision)
    expected = witness.rounded(moving @ weight, precision)
    # The norm is a sum of five: its last bit is the order's, and may tip a rounding.
    assert np.mean(x.grad.numpy() == expected) > 0.9
    np.testing.assert_allclose(x.grad, expected, rtol=2 * STEP[precision])


def test_what_fp16_cannot_hold_becomes_infinite(shipped):
    module = nn.Linear(8, 8, bias=False)
    nn.init.constant_(module.weight, 100.0)
    apply(module, shipped("dense"), Pattern(2, 4), precision="fp16")
    values = torch.full((1, 8), 100.0, requires_grad=True)
    output = module(values)
    assert output.isposinf().all(), "80,000"
    output.backward(torch.full((1, 8), 70000.0))
    assert values.grad.isposinf().all()
    assert module.weight.grad.isposinf().all()
    module.zero_grad()
    values.grad = None
    module(values).backward(torch.full((1, 8), 100.0))
    assert values.grad.isposinf().all(), "an activation's gradient is one of 16 bits"
    assert module.weight.grad.unique().tolist() == [10000.0], "a weight's is not"


def test_small_gradients_vanish_without_loss_scaling(shipped):
    module = nn.Linear(8, 8, bias=False)
    apply(module, shipped("dense"), Pattern(2, 4), precision="fp16")
    for scale, count in ((1.0, 0), (2.0**16, 64)):
        module.zero_grad()
        (module(torch.ones(1, 8)) * (1e-8 * scale)).sum().backward()
        assert module.weight.grad.count_nonzero() == count


def test_master_weights_and_the_decay_stay_fp32(shipped):
    module = nn.Linear(8, 8, bias=False)
    applied = apply(module, shipped("sr-ste"), Pattern(2, 4), precision="fp16")
    optimizer = torch.optim.SGD(module.parameters(), lr=1e-3)
    applied.attach(optimizer)
    before = module.weight.detach().clone()
    module(torch.zeros(1, 8)).sum().backward()
    optimizer.step()
    moved = (before - module.weight.detach()).abs()
    assert 0 < moved.max() < 1e-6, "less than FP16 could tell"
    master = module.weight.detach().clone()
    applied.remove()
    kept = module.weight != 0
    assert torch.equal(module.weight[kept], master[kept])
    assert not torch.equal(master, master.half().float())


def test_another_precision_is_refused(shipped):
    with pytest.raises(ConfigError, match="precision: got 'fp8', need one of fp32, fp16, bf16"):
        apply(nn.Linear(8, 8), shipped("dense"), Pattern(2, 4), precision="fp8")
