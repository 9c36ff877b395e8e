"""Lives of tensors on a step small enough to follow by hand."""

from bisparse.configs.pattern import Pattern
from bisparse.dataflow.liveness import lives
from bisparse.dataflow.work_order import order_work
from bisparse.training.recipes.declaration import load_recipe

from .hand_made import annotated

FUSED = ("relu", "relu_backward")


def found(fused=FUSED):
    return {life.tensor: (life.first, life.last) for life in lives(order_work(annotated(), fused))}


def test_a_tensor_lives_from_the_work_that_makes_it_to_the_work_that_reads_it_last():
    """Works: l1:FF 0, l2:FF 1, loss 2, l2:WU 3, l2:BP 4, l1:WU 5. The ReLU's gradient, at 4, is the last to read r."""
    assert found() == {
        "x": (0, 5),
        "r": (0, 4),
        "y": (1, 2),
        "dy": (2, 4),
        "dw2": (3, 5),
        "dh": (4, 5),
        "dw1": (5, 5),
    }


def test_what_is_carried_to_a_rider_never_lies_in_memory():
    assert {"h", "dr"} & set(found()) == set()
    unfused = found(fused=())
    assert unfused["h"] == (0, 1)
    assert unfused["dr"] == (5, 6)


def test_gradients_of_weights_live_to_the_end_of_the_step():
    order = order_work(annotated(), FUSED)
    assert {life.tensor for life in lives(order) if life.updates} == {"dw1", "dw2"}
    assert all(life.last == 5 for life in lives(order) if life.updates)


def test_parameters_have_no_life_within_a_step():
    assert {"w1", "w2"} & set(found()) == set()


def test_what_a_step_is_given_is_made_by_none_of_its_works():
    assert [life.tensor for life in lives(order_work(annotated(), FUSED)) if not life.made] == ["x"]


def test_a_gathered_copy_lives_between_its_gather_and_its_product():
    order = order_work(annotated(load_recipe("bi-mask").model, Pattern(2, 8)), FUSED)
    names = [(group.operator.name, group.prepares) for group in order.groups]
    at = names.index(("l2:BP", "gather"))
    assert names[at + 1] == ("l2:BP", None)
    copy = next(life for life in lives(order) if life.tensor == "l2:BP:gather")
    assert (copy.first, copy.last) == (at, at + 1)
    assert order.tensor("l2:BP:gather").elements(4) == order.graph.tensors["dy"].elements(4)
