import pytest
from bisparse.sim.witness import validation
from bisparse.sim.witness.validation import validate


def recount(name, batch):
    """A counter that has the stored counts."""
    (graph,) = (graph for graph in validation._workloads() if graph.name == name)
    return {key: size.at(batch) for key, size in graph.counted_macs.items()}


def test_every_check_passes_on_a_few_cases():
    told = []
    result = validate(
        seed=11, gemms=30, tilings=4, schedules=2, recount=recount, progress=lambda *step: told.append(step)
    )
    assert [check.cases for check in result.checks] == [357, 16, 30, 3, 3, 3, 4, 2, 20, 10]
    assert [check.mismatches for check in result.checks] == [0] * 10
    assert result.passed
    assert ("loop-nest walk, random tilings and orders", 2, 4) in told
    assert result.document()["passed"] is True


def test_without_torch_its_count_is_skipped_and_says_so():
    result = validate(seed=1, gemms=0, tilings=0, schedules=0)
    assert result.checks[-1].skipped == "torch is not used"
    assert result.passed


def test_a_mismatch_fails_and_is_told_with_what_repeats_it(monkeypatch):
    monkeypatch.setattr(validation, "check_case", lambda case: "off by one")
    result = validate(seed=40, gemms=7, tilings=0, schedules=0)
    machine = result.checks[2]
    assert not result.passed
    assert machine.mismatches == 7
    assert machine.examples == tuple(f"random_case({seed}): off by one" for seed in range(40, 45))


@pytest.mark.parametrize("wrong", [{"forward": 1, "backward": 2}, {}])
def test_a_count_that_differs_names_workload_and_pass(wrong):
    result = validate(seed=1, gemms=0, tilings=0, schedules=0, recount=lambda name, batch: wrong)
    torch = result.checks[-1]
    assert torch.mismatches == 10
    assert torch.examples[0].startswith("bert-base at batch 3: forward: graph ")
    assert "; backward: graph " in torch.examples[0]
