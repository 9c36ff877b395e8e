"""N:M drawn without bias: its mean, its variance, its groups, and the weight gradient that is made of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bisparse.configs.pattern import Pattern
from bisparse.training.recipes.in_torch import apply
from bisparse.training.recipes.in_torch.unbiased import unbiased
from torch import nn

DRAWS = 20_000
GROUPS = (
    [3.0, -1.0],
    [0.5, 0.5],
    [2.0, 0.0],
    [4.0, -1.0, 1.0, 0.5],
    [-1.0, 1.0, 1.0, 1.0],
    [0.0, 5.0, 0.0, 0.0],
    [0.1, -0.2, 0.3, 0.4],
    [1.0, -2.0, 3.0, 4.0, -5.0, 6.0, 7.0, 80.0],
)


def drawn(group, kept, draws=DRAWS):
    values = torch.tensor(group, dtype=torch.float64).repeat(draws)
    found = unbiased(values, Pattern(kept, len(group)), 0, torch.Generator().manual_seed(3))
    return found.reshape(draws, len(group)).numpy()


CASES = [(group, kept) for group in GROUPS for kept in (1, 2) if kept < len(group)]


@pytest.mark.parametrize(("group", "kept"), CASES, ids=str)
def test_the_mean_of_all_draws_is_the_gradient_and_the_variance_the_least_there_is(group, kept, witness):
    found = drawn(group, kept)
    likely = witness.probabilities(group, kept)
    variance = np.array([a * a * (1 / p - 1) if p else 0.0 for a, p in zip(group, likely, strict=True)])
    five = 5 * np.sqrt(variance / DRAWS)
    assert (abs(found.mean(0) - group) <= five + 1e-12).all(), "five standard errors"
    measured = ((found - group) ** 2).sum(1)
    assert abs(measured.mean() - variance.sum()) <= 5 * measured.std() / np.sqrt(DRAWS) + 1e-9


@pytest.mark.parametrize(("group", "kept"), CASES, ids=str)
def test_each_draw_keeps_n_of_a_group_unless_fewer_are_there(group, kept):
    assert ((drawn(group, kept, 2000) != 0).sum(1) == min(kept, np.count_nonzero(group))).all()


@pytest.mark.parametrize(("a", "b"), [(3.0, 1.0), (1.0, -1.0), (0.25, 8.0)])
def test_of_1_to_2_what_is_kept_has_the_magnitude_of_both_and_the_variance_is_twice_their_product(a, b):
    found = drawn([a, b], 1)
    assert set(abs(found).sum(1)) == {abs(a) + abs(b)}
    first = (found[:, 0] != 0).mean()
    p = abs(a) / (abs(a) + abs(b))
    assert abs(first - p) < 5 * np.sqrt(p * (1 - p) / DRAWS)
    # Exactly, over the two outcomes.
    whole = abs(a) + abs(b)
    kept_first, kept_second = (np.copysign(whole, a) - a) ** 2 + b * b, a * a + (np.copysign(whole, b) - b) ** 2
    assert p * kept_first + (1 - p) * kept_second == pytest.approx(2 * abs(a * b))


def test_no_other_probabilities_have_less_variance(witness):
    """Shares of 2 among four, by the tenth: none is better than the closed form's."""
    group = np.array([4.0, 1.0, 1.0, 0.5])
    likely = np.array(witness.probabilities(group, 2))
    least = (group**2 * (1 / likely - 1)).sum()
    tenths = np.arange(1, 11) / 10
    others = [
        (group**2 * (1 / np.array(p) - 1)).sum()
        for p in np.stack(np.meshgrid(*[tenths] * 4), -1).reshape(-1, 4)
        if sum(p) <= 2 + 1e-9
    ]
    assert least <= min(others) + 1e-12


@pytest.mark.parametrize("pattern", [Pattern(1, 2), Pattern(2, 4), Pattern(3, 8), Pattern(8, 16)])
@pytest.mark.parametrize(("shape", "axis"), [((10, 3), 0), ((3, 18), 1), ((2, 2, 8, 3), 2), ((7,), 0)])
def test_element_for_element_as_the_definition_draws(pattern, shape, axis, witness):
    torch.manual_seed(0)
    values = torch.randn(shape, dtype=torch.float64)
    values[values.abs() < 0.2] = 0.0
    found = unbiased(values, pattern, axis, torch.Generator().manual_seed(7))
    lines = -(-shape[axis] // pattern.group)
    rest = tuple(each for at, each in enumerate(shape) if at != axis)
    draws = torch.rand((*rest, lines), generator=torch.Generator().manual_seed(7)).double().numpy()
    expected = witness.unbiased(values.numpy(), pattern.kept, pattern.group, axis, draws)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


LAYERS = {
    "linear": (lambda: nn.Linear(8, 12), (6, 8)),
    "tokens": (lambda: nn.Linear(8, 12, bias=False), (2, 5, 8)),
    "one sample": (lambda: nn.Linear(8, 12), (8,)),
    "convolution": (lambda: nn.Conv2d(8, 12, 3, padding=1), (2, 8, 3, 3)),
    "grouped": (lambda: nn.Conv2d(8, 16, 2, groups=2, stride=2), (3, 8, 5, 4)),
    "volume": (lambda: nn.Conv3d(4, 8, (1, 2, 2)), (2, 4, 2, 3, 3)),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_the_three_passes_of_fully_sparse_training(layer, witness, shipped):
    """FF and BP by the transposable mask; WU of the drawn gradient, whose groups run along samples and positions."""
    torch.manual_seed(0)
    make, shape = LAYERS[layer]
    module = make().double()
    twin = make().double()
    twin.load_state_dict(module.state_dict())
    applied = apply(module, shipped("fully-sparse"), Pattern(2, 4), seed=5)
    groups = getattr(module, "groups", 1)
    master = witness.canonical(module.weight.detach().numpy(), groups, False)
    masked = witness.stored(master * witness.transposable_mask(master, 2, 4), False)
    values = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    output = module(values)
    gradient = torch.randn_like(output)
    output.backward(gradient)

    rows = gradient if isinstance(module, nn.Linear) else gradient.movedim(1, -1)
    flat = rows.reshape(-1, rows.shape[-1]).numpy()
    draws = torch.rand((flat.shape[1], -(-len(flat) // 4)), generator=torch.Generator().manual_seed(5))
    pruned = witness.unbiased(flat, 2, 4, 0, draws.double().numpy())
    assert (np.add.reduceat(pruned != 0, np.arange(0, len(flat), 4)) <= 2).all()
    back = torch.tensor(pruned).reshape(rows.shape)
    back = back if isinstance(module, nn.Linear) else back.movedim(-1, 1)

    with torch.no_grad():
        twin.weight.copy_(torch.tensor(masked))
    again = values.detach().clone().requires_grad_()
    twin(again).backward(gradient)
    torch.testing.assert_close(output, twin(values))
    torch.testing.assert_close(values.grad, again.grad)
    if module.bias is not None:
        torch.testing.assert_close(module.bias.grad, twin.bias.grad, msg="of the whole gradient")
    twin.zero_grad()
    twin(values.detach()).backward(back)
    torch.testing.assert_close(module.weight.grad, twin.weight.grad)
    assert applied.dense_reasons == {}


def test_of_a_transposed_convolution_the_weight_gradient_stays_dense(shipped):
    applied = apply(nn.Sequential(nn.ConvTranspose2d(8, 8, 2)), shipped("fully-sparse"), Pattern(2, 4))
    assert applied.dense_reasons == {
        "0:WU": "a convolution's gradient is read in patches, which have no groups along positions"
    }


def test_a_gradient_may_be_drawn_along_channels_in_the_backward_pass(witness, shipped):
    backward = shipped("sdgp").backward.model_copy(update={"selection": "unbiased"})
    module = nn.Linear(8, 8, bias=False)
    nn.init.eye_(module.weight)
    apply(module, shipped("sdgp", backward=backward), Pattern(2, 8))
    values = torch.zeros(4000, 8, requires_grad=True)
    gradient = torch.tensor([5.0, -1.0, 0.0, 1.0, 2.0, -2.0, 0.5, 0.5])
    module(values).backward(gradient.expand(4000, 8))
    likely = np.array(witness.probabilities(gradient.tolist(), 2))
    error = np.sqrt(gradient.numpy() ** 2 * (1 / np.where(likely > 0, likely, 1.0) - 1) / 4000)
    assert (abs(values.grad.mean(0).numpy() - gradient.numpy()) <= 5 * error + 1e-6).all()
    assert values.grad.count_nonzero(1).unique().tolist() == [2]
