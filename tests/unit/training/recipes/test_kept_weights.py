"""Which elements of weights learn where gradients of kept weights alone are asked for."""

import pytest

torch = pytest.importorskip("torch")

from bisparse.training.recipes.declaration import Recipe, load_recipe  # noqa: E402
from bisparse.training.recipes.in_torch.kept_weights import kept_weights  # noqa: E402


def test_what_any_pass_of_any_layer_keeps_learns():
    shared, other = torch.zeros(3), torch.zeros(3)
    first, second = torch.tensor([True, False, False]), torch.tensor([False, True, False])
    kept = kept_weights([(shared, [first]), (other, [first, first]), (shared, [second])])
    assert [(master is shared, mask.tolist()) for master, mask in kept] == [
        (True, [True, True, False]),
        (False, [True, False, False]),
    ]


def test_a_weight_that_a_dense_layer_shares_learns_whole():
    shared, mask = torch.zeros(2), torch.tensor([True, False])
    assert kept_weights([(shared, [mask]), (shared, [])]) == []
    assert kept_weights([(shared, []), (shared, [mask])]) == []


@pytest.mark.parametrize("path", ["mask_search.scope", "mask_search.moves", "pruned_weights.state"])
def test_a_phase_does_not_set_what_training_reads_once(path):
    plain = load_recipe("spdf").model.model_dump(mode="json", by_alias=True)
    plain["schedule"]["phases"][0]["set"] = {path: "network"}
    told = Recipe.model_validate(plain, strict=False).simulated_only
    assert told == f"a phase that sets {path} (schedule.phases.0.set)"
