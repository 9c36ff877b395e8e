"""Networks under masks that move, and what their recipes say written out in numpy."""

from __future__ import annotations

import numpy as np
import torch
from bisparse.configs.formats import parse_format
from bisparse.training.graph import Stage
from bisparse.training.recipes.declaration import load_recipe
from bisparse.training.recipes.in_torch import apply
from bisparse.training.recipes.mask_search import MaskSearch
from bisparse.training.recipes.schedule import RecipeSchedule
from torch import nn

FF, BP = Stage.FORWARD, Stage.BACKWARD
RATE, MOMENTUM, STEPS = 0.05, 0.9, 12
SHAPES = ((12, 8), (10, 12), (6, 10))


# The definitions -----------------------------------------------------------------------------------------------------


def largest(values, count, among=None):
    """So many of the largest of a list, of equal ones the first."""
    indices = range(len(values)) if among is None else [index for index in range(len(values)) if among[index]]
    mask = np.zeros(len(values), dtype=bool)
    mask[sorted(indices, key=lambda index: (-values[index], index))[:count]] = True
    return mask


def kept_of_layers(values, counts):
    return [largest(each.ravel(), count).reshape(each.shape) for each, count in zip(values, counts, strict=True)]


def kept_of_network(values, counts):
    together = largest(np.concatenate([each.ravel() for each in values]), sum(counts))
    ends = np.cumsum([each.size for each in values])[:-1]
    return [part.reshape(each.shape) for part, each in zip(np.split(together, ends), values, strict=True)]


def exchanged(mask, weight, gradient, share):
    """RigL's move."""
    kept = mask.ravel()
    count = int(share * kept.sum())
    stays = largest(abs(weight).ravel(), kept.sum() - count, kept)
    grows = largest(abs(gradient).ravel(), count, ~stays)
    return (stays | grows).reshape(mask.shape)


class ByDefinition:
    """Layers z = x (m w)^T one after another, half the squared norm of the last as the loss, SGD with momentum."""

    def __init__(self, weights, masks):
        self.weights, self.masks = weights, masks
        self.speeds = [np.zeros_like(each) for each in weights]

    def passes(self, values):
        inputs = [values]
        for weight, mask in zip(self.weights, self.masks, strict=True):
            inputs.append(inputs[-1] @ (weight * mask).T)
        gradient, gradients = inputs[-1], []
        for weight, mask, each in reversed(list(zip(self.weights, self.masks, inputs[:-1], strict=True))):
            gradients.insert(0, gradient.T @ each)
            gradient = gradient @ (weight * mask)
        return inputs[-1], gradient, gradients

    def update(self, gradients):
        for number, gradient in enumerate(gradients):
            self.speeds[number] = MOMENTUM * self.speeds[number] + gradient * self.masks[number]
            self.weights[number] = self.weights[number] - RATE * self.speeds[number]
        self.hold()

    def hold(self):
        """Pruned weights, and their momentum, are zero."""
        self.weights = [each * mask for each, mask in zip(self.weights, self.masks, strict=True)]
        self.speeds = [each * mask for each, mask in zip(self.speeds, self.masks, strict=True)]


# Against them --------------------------------------------------------------------------------------------------------


def network():
    torch.manual_seed(1)
    model = nn.Sequential(*(nn.Linear(inputs, outputs, bias=False) for outputs, inputs in SHAPES)).double()
    with torch.no_grad():
        # Layers that one threshold cannot take for alike.
        model[0].weight.mul_(2.0)
    return model


def weights_of(model):
    return [layer.weight.detach().numpy().copy() for layer in model]


def batch(step):
    return torch.randn(5, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(100 + step))


def started(model, recipe, sparsity, *, steps=STEPS, seed=0):
    applied = apply(model, recipe, parse_format(sparsity), steps=steps, seed=seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)
    applied.attach(optimizer)
    return applied, optimizer


def trained(model, optimizer, step):
    """Output, input gradient and weight gradients of a step, before its update."""
    values = batch(step).requires_grad_()
    optimizer.zero_grad()
    output = model(values)
    (output.square().sum() / 2).backward()
    found = output.detach().numpy(), values.grad.numpy(), [layer.weight.grad.numpy().copy() for layer in model]
    optimizer.step()
    return found


def drawn(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(shape, generator=generator).double().numpy() for shape in SHAPES]


def moving(name, **changes):
    recipe = load_recipe(name).model
    moves = recipe.mask_search.moves.model_copy(update={"every_steps": 2, **changes})
    search = recipe.mask_search.model_copy(update={"moves": moves})
    return recipe.model_copy(update={"mask_search": search, "layer_density": "uniform"})


def check(applied, model, optimizer, witness, passes, step):
    output, dx, gradients = witness.passes(batch(step).numpy())
    np.testing.assert_allclose(passes[0], output, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(passes[1], dx, rtol=1e-10, atol=1e-12)
    for mine, own in zip(passes[2], gradients, strict=True):
        np.testing.assert_allclose(mine, own, rtol=1e-10, atol=1e-12)
    return gradients


def check_held(applied, model, optimizer, witness):
    for number, layer in enumerate(model):
        assert np.array_equal(applied.mask(str(number), FF).numpy(), witness.masks[number])
        np.testing.assert_allclose(layer.weight.detach(), witness.weights[number], rtol=1e-10, atol=1e-13)
        assert not layer.weight[~torch.from_numpy(witness.masks[number])].any()
        speed = optimizer.state[layer.weight]["momentum_buffer"]
        np.testing.assert_allclose(speed, witness.speeds[number], rtol=1e-10, atol=1e-13)


def given(score="magnitude", *, scope="layer", state="learning", schedule=None, moves=None):
    recipe = load_recipe("random-uniform").model
    return recipe.model_copy(
        update={
            "mask_search": MaskSearch(method="given", score=score, scope=scope, moves=moves),
            "pruned_weights": recipe.pruned_weights.model_copy(update={"state": state}),
            "schedule": schedule or RecipeSchedule(),
        }
    )
