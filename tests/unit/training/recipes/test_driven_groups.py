"""Groups of coupled layers are driven to zero, as many as a ``keep`` leaves out, and can then be removed."""

from __future__ import annotations

import copy

import pytest
import torch
from bisparse.training.capture import capture
from bisparse.training.recipes.group_penalty import GroupPenalty
from bisparse.training.recipes.in_torch.group_steps.driver import GroupDriver
from bisparse.training.rewrites.in_torch.narrowed_module import Widths
from bisparse.training.rewrites.keep import Keep
from torch import nn

RULES = {
    "gradual": GroupPenalty(rule="gradual", periods=2),
    "half-space": GroupPenalty(rule="half-space", strength=0.05, projects_from=0.5),
    "masked": GroupPenalty(rule="masked", strength=0.05),
    "envelope": GroupPenalty(rule="envelope", strength=1.0),
}
ENTRY = Keep(kind="keep", channels=0.5, neurons={"head.2": 0.25}, chosen_by="made")


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.block = nn.Sequential(nn.Conv2d(8, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 8, 1))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 16), nn.ReLU())
        self.classes = nn.Linear(16, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        stream = self.stem(images)
        return self.classes(self.head(stream + self.block(stream)))


def driven(rule: GroupPenalty, *, optimizer: str = "sgd") -> tuple[nn.Module, GroupDriver, object]:
    torch.manual_seed(0)
    model = Residual()
    graph = capture(model, (1, 6, 6), name="residual", source="test", default_batch=4, loss="cross-entropy")
    driver = GroupDriver(rule, model, [ENTRY.plan(graph)], (2, 12))
    kinds = {"sgd": lambda own: torch.optim.SGD(own, lr=0.05, momentum=0.9), "adam": lambda own: torch.optim.Adam(own)}
    updates = kinds[optimizer](list(model.parameters()))
    draw = torch.Generator().manual_seed(1)
    for update in range(12):
        images = torch.randn(8, 1, 6, 6, generator=draw)
        updates.zero_grad()
        nn.functional.cross_entropy(model(images), (images.sum((1, 2, 3)) > 0).long()).backward()
        driver.before_update(update)
        updates.step()
        driver.after_update(update, updates)
    return model, driver, graph


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("rule", RULES)
def test_as_many_groups_are_zero_at_the_end_as_are_left_out(rule: str, optimizer: str) -> None:
    _, driver, _ = driven(RULES[rule], optimizer=optimizer)
    zeros = {each.name: int((~each.weights().any(dim=1)).sum()) for each in driver.groups}
    assert zeros == {"stem.0": 4, "block.0": 3, "head.2": 12}
    assert set(driver.left_over) == set(zeros)


def test_a_group_is_all_that_makes_a_channel_and_nothing_that_reads_it() -> None:
    _, driver, _ = driven(RULES["gradual"])
    elements = {each.name: (len(each.chosen), len(each.gains), int(each.gains.sum())) for each in driver.groups}
    # A row of the stem and its bias, gain and shift, and of the block's last convolution a row and a bias.
    assert elements["stem.0"] == (8, 9 + 1 + 2 + 6 + 1, 1)
    assert elements["block.0"] == (6, 72 + 1 + 2, 1)
    assert elements["head.2"] == (16, 32 + 1, 0)


@pytest.mark.parametrize("rule", RULES)
def test_the_network_without_its_zero_groups_computes_the_same(rule: str) -> None:
    model, _, graph = driven(RULES[rule])
    model.eval()
    images = torch.randn(5, 1, 6, 6)
    expected = model(images)
    narrow = copy.deepcopy(model)
    Widths.of(narrow, graph).narrow(narrow, ENTRY)
    assert narrow.stem[0].weight.shape == (4, 1, 3, 3)
    assert narrow.head[2].weight.shape == (4, 16)
    torch.testing.assert_close(narrow(images), expected, rtol=1e-4, atol=1e-5)


def test_gradual_groups_vanish_by_themselves_in_as_many_periods_as_are_declared() -> None:
    torch.manual_seed(0)
    model = Residual()
    graph = capture(model, (1, 6, 6), name="residual", source="test", default_batch=4, loss="cross-entropy")
    driver = GroupDriver(RULES["gradual"], model, [ENTRY.plan(graph)], (0, 8))
    updates = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    zeros = []
    for update in range(8):
        images = torch.randn(8, 1, 6, 6)
        updates.zero_grad()
        model(images).square().sum().backward()
        driver.before_update(update)
        updates.step()
        driver.after_update(update, updates)
        zeros.append(int((~driver.groups[2].weights().any(dim=1)).sum()))
    assert zeros == [0, 0, 0, 6, 6, 6, 6, 12]
    assert driver.left_over == dict.fromkeys(driver.left_over, 0.0)


def test_a_driver_goes_on_where_it_was() -> None:
    _, driver, graph = driven(RULES["gradual"])
    other = GroupDriver(RULES["gradual"], Residual(), [ENTRY.plan(graph)], (2, 12))
    other.load_state_dict(driver.state_dict())
    assert other.left_over == driver.left_over
    for one, two in zip(driver.groups, other.groups, strict=True):
        assert torch.equal(one.chosen, two.chosen)
