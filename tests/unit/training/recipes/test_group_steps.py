"""Each rule that drives groups to zero, against its definition in plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bisparse.training.recipes.in_torch.group_steps import GROUP_STEPS, Moment
from bisparse.training.recipes.in_torch.group_steps.envelope import envelope_step
from bisparse.training.recipes.in_torch.group_steps.saliency import direction_and_norm, five_criteria

GROUPS, ELEMENTS = 7, 5
GAINS = np.array([False, False, False, True, False])


def drawn(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(GROUPS, ELEMENTS))


def moment(**fields: object) -> Moment:
    plain: dict[str, object] = {
        "before": torch.tensor(drawn(0)),
        "trial": torch.tensor(drawn(1)),
        "gains": torch.tensor(GAINS),
        "chosen": torch.tensor([True, False, True, False, False, True, False]),
        "kept": 4,
        "rate": 0.1,
        "strength": 0.5,
        "left": 4,
        "passed": 0.0,
        "projects_from": 0.5,
    }
    return Moment(**(plain | fields))  # type: ignore[arg-type]


def after(rule: str, seen: Moment) -> np.ndarray:
    step = GROUP_STEPS[rule].after  # type: ignore[index]
    assert step is not None
    return step(seen).numpy()


def test_the_five_criteria_of_hesso_are_those_of_its_definition() -> None:
    x, g = drawn(2), drawn(3)
    norm = np.linalg.norm(x, axis=1)
    inner = (x * g).sum(1)
    criteria = [
        norm,
        norm / ELEMENTS,
        inner / (norm * np.linalg.norm(g, axis=1)) + 1,
        abs(inner),
        inner**2 / 2,
    ]
    expected = sum(0.2 * each / np.linalg.norm(each) for each in criteria)
    found = five_criteria(torch.tensor(x), torch.tensor(g), torch.tensor(GAINS))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


def test_the_least_salient_of_otov2_are_small_and_descend_towards_zero() -> None:
    x, g = drawn(2), drawn(3)
    norm = np.linalg.norm(x, axis=1)
    cosine = (x * g).sum(1) / (norm * np.linalg.norm(g, axis=1))
    small = 1 / (norm / ELEMENTS + 1e-6)
    expected = -(cosine / np.linalg.norm(cosine) + small / np.linalg.norm(small)) / 2
    found = direction_and_norm(torch.tensor(x), torch.tensor(g), torch.tensor(GAINS))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


def test_shrunk_groups_vanish_with_the_last_update_of_their_period_and_fall_evenly_until_then() -> None:
    weights = torch.ones(GROUPS, ELEMENTS, dtype=torch.float64)
    chosen = torch.zeros(GROUPS, dtype=torch.bool)
    chosen[:3] = True
    course = []
    for left in (4, 3, 2, 1):
        weights = torch.tensor(after("gradual", moment(trial=weights, chosen=chosen, left=left)))
        course.append(float(weights[0, 0]))
    assert course == pytest.approx([0.75, 0.5, 0.25, 0.0])
    assert bool((weights[3:] == 1).all())


def by_hand_half_space(seen: Moment, *, adjusts: bool, projects: bool) -> np.ndarray:
    x, trial, rate, strength = seen.before.numpy(), seen.trial.numpy(), seen.rate, seen.strength
    made = trial.copy()
    for group in np.flatnonzero(seen.chosen.numpy()):
        norm = np.linalg.norm(x[group])
        if norm == 0:
            made[group] = 0
            continue
        descent = (x[group] - trial[group]) / rate
        inner, factor = x[group] @ descent, strength
        if adjusts and inner < 0:
            low, high = -inner / norm, -(descent @ descent) * norm / inner
            factor = min(max(1.1 * low, strength), 10 * strength)
            factor = (low + high) / 2 if factor >= high else factor
        step = trial[group] - rate * factor * x[group] / norm
        made[group] = 0 if projects and step @ x[group] < 0 else step
    return made


@pytest.mark.parametrize(
    ("passed", "adjusts", "projects"), [(0.1, False, False), (0.3, True, False), (0.7, True, True)]
)
def test_the_half_space_step_is_its_definition(passed: float, adjusts: bool, projects: bool) -> None:
    before = drawn(0)
    before[2] = 0
    seen = moment(before=torch.tensor(before), passed=passed)
    np.testing.assert_allclose(
        after("half-space", seen), by_hand_half_space(seen, adjusts=adjusts, projects=projects), rtol=1e-9, atol=1e-12
    )


def test_a_half_space_projection_sets_whole_groups_to_zero_and_only_chosen_ones() -> None:
    before = torch.ones(GROUPS, ELEMENTS, dtype=torch.float64)
    found = after("half-space", moment(before=before, trial=-before, passed=0.9))
    assert (found[[0, 2, 5]] == 0).all()
    assert (found[[1, 3, 4, 6]] == -1).all()


def test_a_masked_penalty_is_on_gains_and_on_all_where_there_are_none() -> None:
    penalty = GROUP_STEPS["masked"].penalty
    assert penalty is not None
    x = drawn(4)
    found = penalty(torch.tensor(x), torch.tensor(GAINS), 0.3).numpy()
    np.testing.assert_allclose(found, 0.3 * np.sign(x) * GAINS)
    whole = penalty(torch.tensor(x), torch.zeros(ELEMENTS, dtype=torch.bool), 0.3).numpy()
    np.testing.assert_allclose(whole, 0.3 * np.sign(x))


def envelope(w: np.ndarray, kept: int) -> float:
    """The envelope by its dual form: the largest of <w, y> less half the sum of the k largest squared norms of y.

    Of group norms sorted down: the k-support norm's closed form (Argyriou, Foygel, Srebro, 2012), halved and squared.
    """
    norms = np.sort(np.linalg.norm(w, axis=1))[::-1]
    for rest in range(kept):
        tail = norms[kept - rest - 1 :].sum()
        above = norms[kept - rest - 2] if kept - rest - 2 >= 0 else np.inf
        if above > tail / (rest + 1) >= norms[kept - rest - 1]:
            return 0.5 * float((norms[: kept - rest - 1] ** 2).sum() + tail**2 / (rest + 1))
    raise AssertionError("one of them fits")


@pytest.mark.parametrize("strength", [0.05, 0.7])
@pytest.mark.parametrize("kept", [1, 3, 6])
def test_the_envelope_step_minimises_what_it_is_the_proximal_step_of(strength: float, kept: int) -> None:
    values = drawn(5)

    def objective(w: np.ndarray) -> float:
        return 0.5 * float(((w - values) ** 2).sum()) + strength * envelope(w, kept)

    found = envelope_step(torch.tensor(values), kept, strength).numpy()
    best = objective(found + 1e-12)
    draw = np.random.default_rng(6)
    for scale in (1e-3, 1e-2, 1e-1):
        for _ in range(40):
            assert objective(found + scale * draw.normal(size=found.shape)) >= best - 1e-9


def test_repeated_envelope_steps_leave_as_many_groups_as_the_level() -> None:
    values = torch.tensor(drawn(7))
    for _ in range(200):
        values = envelope_step(values, 3, 0.05)
    assert int((values.norm(dim=1) > 0).sum()) == 3


@pytest.mark.parametrize("rule", ["half-space", "envelope"])
def test_an_update_at_a_rate_of_zero_drives_nothing(rule: str) -> None:
    np.testing.assert_array_equal(after(rule, moment(rate=0.0, trial=moment().before)), drawn(0))


def test_an_envelope_of_level_all_only_shrinks() -> None:
    values = torch.tensor(drawn(8))
    np.testing.assert_allclose(envelope_step(values, GROUPS, 0.25).numpy(), values.numpy() / 1.25)
