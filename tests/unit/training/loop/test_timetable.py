"""Steps of runs that are one training, and of those that repeat it, against numbers worked out by hand."""

from __future__ import annotations

import pytest
from bisparse.training.loop.timetable import Timetable, Training, steps_of_run
from bisparse.training.recipes.courses import Repeats
from bisparse.training.recipes.declaration import load_recipe


def repeated(**said):
    """Two cycles after a training of 3 epochs of 4 steps; each begins at step 6 of 12, in the middle of an epoch."""
    repeats = Repeats(cycles=2, retrain_share=0.5, **said)
    edges = [(cycle, again) for cycle in (1, 2) for again in range(1, repeats.retrainings + 1)]
    trainings = [Training(cycle=cycle, retraining=again, first_step=12 + 6 * number, at_step=6, steps=6)
                 for number, (cycle, again) in enumerate(edges)]  # fmt: skip
    return Timetable(trainings=(Training(steps=12), *trainings), epochs=3, steps_per_epoch=4, repeats=repeats)


def test_the_place_of_a_step_is_that_in_its_training():
    found = [repeated().place(step) for step in (0, 11, 12, 13, 17, 18)]
    assert [(each.training.cycle, each.at_step, each.epoch, each.batch, each.done) for each in found] == [
        (0, 0, 0, 0, 0),
        (0, 11, 2, 3, 3),
        # Of the epoch that it was rewound into, two steps are done by nobody.
        (1, 6, 1, 2, 0),
        (1, 7, 1, 3, 1),
        (1, 11, 2, 3, 3),
        (2, 6, 1, 2, 0),
    ]
    assert [each.ends_epoch for each in found] == [False, True, False, True, True, False]
    assert [each.ends_training for each in found] == [False, True, False, False, True, False]


def test_epochs_count_where_they_end():
    table = repeated()
    ends = [step + 1 for step in range(table.steps) if table.place(step).ends_epoch]
    assert ends == [4, 8, 12, 14, 18, 20, 24]
    for step in range(table.steps + 1):
        assert table.epochs_before(step) == sum(end <= step for end in ends)


def test_only_retrainings_that_are_averaged_read_the_data_in_orders_of_their_own():
    alone, averaged = repeated(), repeated(retrainings=2, rewind="learning-rate")
    assert [alone.place(step).order for step in (11, 17, 23)] == [2, 2, 2]
    assert [averaged.place(step).order for step in (11, 17, 23, 29)] == [2, 5, 8, 11]
    assert (alone.rewinds_to, averaged.rewinds_to) == (6, None)


@pytest.mark.parametrize(
    ("name", "steps"), [("bdwp", 100), ("spdf", 100), ("lottery-ticket", 100 + 7 * 95), ("sparse-model-soups", 190)]
)
def test_a_run_has_the_steps_of_all_its_trainings(name, steps):
    assert steps_of_run(load_recipe(name).model, "80%" if name != "bdwp" else "2:8", 10, 10) == steps
