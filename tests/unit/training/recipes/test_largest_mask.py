"""Masks of the largest elements, or blocks, of a whole weight."""

import numpy as np
import pytest
import torch
from bisparse.configs.formats import parse_format
from bisparse.training.graph import Stage
from bisparse.training.recipes.declaration import load_recipe
from bisparse.training.recipes.in_torch import apply
from bisparse.training.recipes.in_torch.weight_axes import WeightAxes
from bisparse.training.recipes.in_torch.weight_masks import largest_mask, mask_of_terms, structured_mask
from torch import nn

pytestmark = pytest.mark.usefixtures("one_thread")


def in_numpy(weight, percent, rows, cols):
    """The definition, for a weight [out, in, taps]: blocks by their norm, as many as the share says."""
    outs, ins, taps = weight.shape
    blocks = [(tap, out, into) for tap in range(taps) for out in range(0, outs, rows) for into in range(0, ins, cols)]
    norm = [float((weight[o : o + rows, i : i + cols, t].astype(np.float64) ** 2).sum()) for t, o, i in blocks]
    kept = sorted(range(len(blocks)), key=lambda at: -norm[at])[: max(1, round((100 - percent) / 100 * len(blocks)))]
    mask = np.zeros(weight.shape, dtype=bool)
    for t, o, i in (blocks[at] for at in kept):
        mask[o : o + rows, i : i + cols, t] = True
    return mask


@pytest.mark.parametrize(("percent", "rows", "cols"), [(80, 1, 1), (50, 4, 4), (75, 2, 8), (90, 5, 3), (99.9, 1, 1)])
def test_the_mask_is_the_definition(percent, rows, cols):
    torch.manual_seed(1)
    module = nn.Conv2d(12, 10, 3)
    sparse = parse_format(f"{percent}% block {rows}x{cols}")
    found = largest_mask(module.weight.detach(), WeightAxes.of(module), sparse)
    weight = module.weight.detach().numpy().reshape(10, 12, 9)
    assert np.array_equal(found.numpy().reshape(10, 12, 9), in_numpy(weight, percent, rows, cols))


def test_a_transposed_convolution_has_its_blocks_by_outputs_and_inputs():
    torch.manual_seed(2)
    module = nn.ConvTranspose2d(8, 6, 2)
    found = largest_mask(module.weight.detach(), WeightAxes.of(module), parse_format("75% block 3x4"))
    weight = module.weight.detach().numpy().transpose(1, 0, 2, 3).reshape(6, 8, 4)
    assert np.array_equal(found.numpy().transpose(1, 0, 2, 3).reshape(6, 8, 4), in_numpy(weight, 75, 3, 4))


def test_masks_that_are_given_stay_while_weights_change_and_both_passes_share_them():
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 8))
    before = {path: module.weight.detach().clone() for path, module in model.named_modules() if path in ("0", "2")}
    applied = apply(model, load_recipe("static-masks").model, parse_format("80%"))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    applied.attach(optimizer)
    wanted = {
        path: largest_mask(w, WeightAxes.of(model.get_submodule(path)), parse_format("80%"))
        for path, w in before.items()
    }
    for step in range(4):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(torch.randn(16, 32)), torch.arange(16) % 8).backward()
        optimizer.step()
        for path, layer in applied.layers.items():
            for stage in (Stage.FORWARD, Stage.BACKWARD):
                assert torch.equal(layer.mask(applied.master(path), stage), wanted[path]), (step, path, stage)
    applied.remove()
    for path, mask in wanted.items():
        weight = model.get_submodule(path).weight
        assert torch.equal(weight != 0, mask)
        assert not torch.equal(weight.detach()[mask], before[path][mask])


def test_zeros_of_a_network_that_is_pruned_already_are_the_mask():
    torch.manual_seed(4)
    model = nn.Sequential(nn.Linear(40, 40))
    zeros = torch.rand(40, 40) < 0.75
    kept = 1600 - int(zeros.sum())
    with torch.no_grad():
        model[0].weight[zeros] = 0
    applied = apply(model, load_recipe("static-masks").model, parse_format(f"{100 * (1 - kept / 1600):.4f}%"))
    assert torch.equal(applied.layers["0"].mask(applied.master("0"), Stage.FORWARD), ~zeros)


def test_zeros_grow_along_the_ramp_and_masks_are_found_anew_at_each_update():
    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8))
    recipe = load_recipe("gradual-magnitude").model
    applied = apply(model, recipe, parse_format("90%"), steps=40)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    applied.attach(optimizer)
    zeros, masks = [], []
    for _ in range(40):
        mask = applied.layers["0"].mask(applied.master("0"), Stage.FORWARD)
        masks.append(mask)
        zeros.append(0.0 if mask is None else float((~mask).double().mean()))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(torch.randn(16, 64)), torch.arange(16) % 8).backward()
        optimizer.step()
    assert zeros == sorted(zeros)
    assert zeros[:4] == [0.0] * 4, "a tenth is dense"
    ramp = recipe.schedule.ramp
    wanted = {round(round((1 - ramp.zeros_percent(90.0, update) / 100) * 4096) / 4096, 4) for update in range(1, 11)}
    assert {round(1 - share, 4) for share in zeros[4:]} == wanted
    assert all(torch.equal(mask, masks[-1]) for mask in masks[30:]), "the last quarter has one mask"


@pytest.mark.parametrize("module", [nn.Conv2d(6, 10, 3), nn.ConvTranspose2d(6, 10, 3), nn.Linear(54, 10)])
def test_every_output_keeps_as_many_of_its_largest(module):
    sparse, weight = parse_format("75% in each row"), module.weight.detach()
    kept = largest_mask(weight, WeightAxes.of(module), sparse)
    out_axis = 1 if isinstance(module, nn.ConvTranspose2d) else 0
    rows, masks = (each.movedim(out_axis, 0).flatten(1) for each in (weight.abs(), kept))
    for row, mask in zip(rows, masks, strict=True):
        assert int(mask.sum()) == 54 - 40
        assert row[mask].min() > row[~mask].max()


def test_every_input_keeps_as_many_where_the_columns_are_balanced():
    module = nn.Conv2d(6, 10, 3)
    kept = largest_mask(module.weight.detach(), WeightAxes.of(module), parse_format("75% in each column"))
    assert set(kept.movedim(1, 0).flatten(1).sum(dim=1).tolist()) == {90 - 67}


@pytest.mark.parametrize("module", [nn.Conv2d(6, 10, 3), nn.ConvTranspose2d(6, 10, 3), nn.Linear(6, 10)])
@pytest.mark.parametrize("line", ["rows", "columns"])
def test_whole_lines_of_the_largest_norm_are_kept(module, line):
    weight = module.weight.detach()
    mask = structured_mask(weight, WeightAxes.of(module), parse_format(f"50% of {line}"))
    axis = int((line == "columns") != isinstance(module, nn.ConvTranspose2d))
    norms = weight.movedim(axis, 0).flatten(1).norm(dim=1)
    kept = mask.movedim(axis, 0).flatten(1)
    assert (kept.all(dim=1) == kept.any(dim=1)).all()
    assert int(kept.all(dim=1).sum()) == len(norms) // 2
    assert norms[kept.all(dim=1)].min() > norms[~kept.all(dim=1)].max()


@pytest.mark.parametrize("text", ["2 diagonal blocks", "band 1"])
def test_a_diagonal_is_the_same_at_every_kernel_position_and_in_every_group(text):
    module, sparse = nn.Conv2d(12, 8, 3, groups=2), parse_format(text)
    mask = structured_mask(module.weight.detach(), WeightAxes.of(module), sparse).numpy()
    one = sparse.mask(np.random.default_rng(0), 4, 6)
    for group, tap in np.ndindex(2, 9):
        assert np.array_equal(mask.reshape(2, 4, 6, 9)[group, :, :, tap], one)


@pytest.mark.parametrize("stage", [Stage.FORWARD, Stage.BACKWARD])
def test_each_term_keeps_the_largest_of_what_is_left(stage):
    module = nn.Linear(20, 12)
    weight = module.weight.detach()
    mask = mask_of_terms(weight, WeightAxes.of(module), parse_format("2:8+1:4"), stage)
    rows = weight if stage is Stage.FORWARD else weight.T
    for row, kept in zip(rows.abs().numpy(), (mask if stage is Stage.FORWARD else mask.T).numpy(), strict=True):
        found = np.zeros(len(row), dtype=bool)
        for count, group in ((2, 8), (1, 4)):
            for start in range(0, len(row), group):
                left = [at for at in range(start, min(start + group, len(row))) if not found[at]]
                found[sorted(left, key=lambda at: -row[at])[:count]] = True
        assert np.array_equal(kept, found)
