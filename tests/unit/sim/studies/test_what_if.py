"""What would help a step: each figure is that of a simulation of the changed design."""

from bisparse.accel.set_fields import set_fields
from bisparse.accel.specification import load_hardware
from bisparse.configs.pattern import Pattern
from bisparse.sim.options import Options
from bisparse.sim.results.simulation_result import SimulationResult
from bisparse.sim.simulation import Simulator
from bisparse.sim.studies.what_if import with_what_ifs
from bisparse.training.recipes.declaration import load_recipe

from bisparse.api import load_workload

BDWP, PATTERN, SAT = load_recipe("bdwp"), Pattern(2, 8), load_hardware("sat-vcu1525")


def simulator(design, **options):
    said = Options(batch=2, **options)
    return Simulator(workload=load_workload("resnet9-cifar10"), hardware=design, options=said, version="test")


def test_each_change_is_simulated_and_the_best_stands_first():
    asked = simulator(SAT)
    result = with_what_ifs(asked, asked.run(BDWP, PATTERN), BDWP, PATTERN)
    assert len(result.what_if) == 7
    for each in result.what_if[::2]:
        words = [f"{name}={str(value).lower()}" for name, value in each.fields.items()]
        changed = simulator(set_fields(SAT, words)).run(BDWP, PATTERN)
        assert each.step_seconds == changed.step_seconds
        assert each.speedup_vs_dense == changed.speedup_vs_dense
        assert each.energy_ratio_vs_dense == changed.energy_ratio_vs_dense
        assert each.gain == result.step_seconds / changed.step_seconds
    gains = [each.gain for each in result.what_if]
    assert gains == sorted(gains, reverse=True)
    assert gains[0] > 1.5, "twice the array in both directions"
    assert SimulationResult.from_document(result.document()) == result


def test_what_the_options_settle_is_not_tried():
    asked = simulator(SAT, overlap_vector=False)
    result = with_what_ifs(asked, asked.run(BDWP, PATTERN), BDWP, PATTERN)
    assert not any("policy.overlap_vector" in each.fields for each in result.what_if)
