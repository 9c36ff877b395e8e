"""The multiple-choice knapsack against every choice there is."""

import itertools
import random

import pytest
from bisparse.sim.studies.assignment import multiple_choice
from bisparse.sim.studies.assignment.multiple_choice import Alternative, solve


def drawn(generator, items, choices, *, whole=False):
    def loss():
        return generator.choice([0, generator.randint(0, 5)]) if whole else generator.random()

    return [
        [Alternative(generator.randint(0, 50), loss()) for _ in range(generator.randint(1, choices))]
        for _ in range(items)
    ]


def cheapest(items, limit):
    costs = (
        sum(choice.cost for choice in chosen)
        for chosen in itertools.product(*items)
        if sum(choice.loss for choice in chosen) <= limit + 1e-12
    )
    return min(costs, default=None)


@pytest.mark.parametrize("seed", range(60))
def test_it_finds_the_cheapest_choice_within_the_limit_and_proves_it(seed):
    generator = random.Random(seed)
    items = drawn(generator, generator.randint(1, 6), 5, whole=seed % 2 == 0)
    least, most = (sum(pick(choice.loss for choice in item) for item in items) for pick in (min, max))
    limit = least - 0.1 + generator.random() * (most - least + 0.3)
    solution, best = solve(items, limit), cheapest(items, limit)
    if best is None:
        assert solution is None
        return
    assert solution.cost == solution.bound == best
    taken = [item[at] for item, at in zip(items, solution.chosen, strict=True)]
    assert solution.loss == pytest.approx(sum(choice.loss for choice in taken))
    assert solution.loss <= limit + 1e-9


def test_runners_up_are_the_cheapest_that_no_better_one_beats():
    items = [[Alternative(9, 0), Alternative(5, 1), Alternative(1, 2)], [Alternative(8, 0), Alternative(1, 3)]]
    solution = solve(items, 4, runners_up=9)
    assert (solution.chosen, solution.cost) == ((1, 1), 6)
    for number in range(10):
        generator = random.Random(number)
        items = drawn(generator, 5, 4)
        found = solve(items, 2.0, runners_up=6)
        if found is None:
            continue
        assert solve(items, 2.0).runners_up == ()
        every = [[item[at] for item, at in zip(items, places, strict=True)] for places in found.runners_up]
        sums = [sum(each.cost for each in taken) for taken in every]
        assert sums == sorted(sums)
        assert found.chosen not in found.runners_up
        assert len(set(found.runners_up)) == len(every) <= 6
        assert all(cost > found.cost for cost in sums)
        assert all(sum(each.loss for each in taken) < found.loss for taken in every)


def test_a_limit_may_be_reached_exactly():
    items = [[Alternative(3, 0.1), Alternative(1, 0.2)]] * 3
    assert solve(items, 0.1 + 0.2 + 0.2).chosen.count(1) == 2
    assert solve(items, 0.2 + 0.2 + 0.2).cost == 3
    assert solve(items, 0.29) is None


def test_of_no_items_the_sum_is_nothing():
    assert solve([], 0.0).cost == 0
    assert solve([], -1.0) is None


def test_a_thinned_search_keeps_the_limit_and_says_how_far_off_it_may_be(monkeypatch):
    generator = random.Random(1)
    items = drawn(generator, 40, 6)
    exact = solve(items, 12.0)
    assert exact.cost == exact.bound
    monkeypatch.setattr(multiple_choice, "LARGEST_FRONT", 10)
    thinned = solve(items, 12.0)
    assert thinned.loss <= 12.0
    assert thinned.bound <= exact.cost <= thinned.cost
