"""The learning rate of a step."""

import math

import pytest
from bisparse.training.loop.learning_rate import learning_rate
from bisparse.training.settings import TrainingSettings


def settings(**given):
    own = {
        "model": "mlp",
        "data": "digits",
        "recipe": "dense",
        "sparsity": "2:8",
        "epochs": 10,
        "batch": 32,
        "optimizer": "sgd",
        "learning_rate": 0.4,
        "weight_decay": 0.0,
        "warmup_epochs": 1.0,
    }
    return TrainingSettings(**own | given)


def test_the_rate_rises_in_a_straight_line_to_its_highest():
    rates = [learning_rate(settings(), step, 4) for step in range(4)]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_then_it_follows_half_a_cosine():
    assert learning_rate(settings(), 4, 4) == pytest.approx(0.4)
    assert learning_rate(settings(), 22, 4) == pytest.approx(0.2)
    assert learning_rate(settings(), 39, 4) == pytest.approx(0.2 * (1 + math.cos(math.pi * 35 / 36)))


def test_without_a_warm_up_it_starts_at_its_highest():
    assert learning_rate(settings(warmup_epochs=0.0), 0, 4) == pytest.approx(0.4)


def test_a_warm_up_may_be_the_whole_run():
    assert learning_rate(settings(epochs=1), 3, 4) == pytest.approx(0.4)
