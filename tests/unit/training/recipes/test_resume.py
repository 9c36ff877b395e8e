"""Seven steps on end are three, a save, a fresh process's worth of objects, and four: bit for bit, for every recipe."""

from __future__ import annotations

import io

import pytest
import torch
from bisparse.configs.pattern import Pattern
from bisparse.training.recipes.in_torch import FrozenVarianceAdam, apply
from bisparse.training.recipes.schedule import RecipeSchedule, VarianceSwitch
from torch import nn

from ..trained_recipes import TRAINED

STEPS = 7


def declared(shipped, name, variant):
    recipe = shipped(name)
    if recipe.mask_search.passes:
        # Searches before, at and after the save.
        recipe = recipe.model_copy(
            update={"mask_search": recipe.mask_search.model_copy(update={"every_steps": variant, "passes": 3.0})}
        )
    if (moves := recipe.mask_search.moves) is not None:
        moves = moves.model_copy(update={"every_steps": variant, "until_share": 1.0})
        recipe = recipe.model_copy(update={"mask_search": recipe.mask_search.model_copy(update={"moves": moves})})
    if name == "step":
        share = {2: 2 / 7, 3: 3 / 7}[variant]
        recipe = recipe.model_copy(
            update={
                "schedule": RecipeSchedule(switch=VarianceSwitch(earliest_share=0, latest_share=share, change=1e-30))
            }
        )
    if name.startswith("sdgp"):
        selection = {2: "magnitude", 3: "random"}[variant]
        recipe = recipe.model_copy(update={"backward": recipe.backward.model_copy(update={"selection": selection})})
    return recipe


class Run:
    """A model, its recipe and its optimizer, as a process would build them."""

    def __init__(self, recipe, *, seed):
        torch.manual_seed(seed)
        self.model = nn.Sequential(
            nn.Conv2d(4, 8, 2), nn.ReLU(), nn.ConvTranspose2d(8, 8, 2), nn.ReLU(), nn.Flatten(), nn.Linear(72, 8),
            nn.ReLU(), nn.Linear(8, 8),
        )  # fmt: skip
        self.applied = apply(self.model, recipe, Pattern(2, 4), steps=STEPS, seed=seed)
        kind = FrozenVarianceAdam if recipe.schedule.switch else torch.optim.SGD
        options = {"lr": 0.01, "betas": (0.9, 0.8)} if recipe.schedule.switch else {"lr": 0.3, "momentum": 0.9}
        self.optimizer = kind(self.model.parameters(), **options)
        self.applied.attach(self.optimizer)

    def train(self, first, last):
        for step in range(first, last):
            data = torch.Generator().manual_seed(step)
            values, labels = torch.randn(4, 4, 3, 3, generator=data), torch.randint(0, 8, (4,), generator=data)
            self.optimizer.zero_grad()
            nn.functional.cross_entropy(self.model(values), labels).backward()
            self.optimizer.step()

    def saved(self, *, evaluate):
        if evaluate:
            with torch.inference_mode():
                self.model.eval()(torch.randn(1, 4, 3, 3))
            self.model.train()
        file = io.BytesIO()
        parts = {"model": self.model, "optimizer": self.optimizer, "applied": self.applied}
        torch.save({name: part.state_dict() for name, part in parts.items()}, file)
        return file.getvalue()

    def load(self, saved):
        state = torch.load(io.BytesIO(saved), weights_only=True)
        self.applied.load_state_dict(state["applied"])
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("variant", [2, 3])
def test_a_resumed_run_ends_in_the_same_bits(name, variant, shipped):
    recipe = declared(shipped, name, variant)
    straight = Run(recipe, seed=0)
    straight.train(0, STEPS)
    broken = Run(recipe, seed=0)
    broken.train(0, 3)
    resumed = Run(recipe, seed=99)
    resumed.load(broken.saved(evaluate=variant == 3))
    resumed.train(3, STEPS)
    for key, value in straight.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[key], value), key
    assert resumed.applied.step == STEPS
    assert resumed.applied.switch_step == straight.applied.switch_step
    ends = [run.applied.state_dict() for run in (straight, resumed)]
    assert torch.equal(ends[0]["generator"], ends[1]["generator"])
    assert [each.churn.take() for each in straight.applied.layers.values()] == [
        each.churn.take() for each in resumed.applied.layers.values()
    ]
