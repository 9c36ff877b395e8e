"""An update of kept weights alone: what it reads, writes and computes."""

from bisparse.accel.specification import load_hardware
from bisparse.configs.pattern import Pattern
from bisparse.sim.options import Options
from bisparse.sim.simulation import Simulator
from bisparse.training.recipes.declaration import load_recipe

from bisparse.api import load_workload


def updates(name):
    simulator = Simulator(
        workload=load_workload("resnet9-cifar10"),
        hardware=load_hardware("sat-vcu1525"),
        options=Options(batch=64, optimizer="adam"),
        version="test",
    )
    schedule = simulator.schedule(load_recipe(name), Pattern(2, 8))
    copies = schedule.pruned.copies
    return {each.parameter: each for each in schedule.updates if copies.get(each.parameter)}


def test_master_and_moments_of_a_quarter_are_moved_the_gradients_of_all_are_read():
    """Of w weights at 2:8 master, two moments, and the gradients of the others; adam reads 16 bytes and writes 12."""
    kept, every = updates("slope"), updates("static-masks")
    assert kept.keys() == every.keys()
    assert len(kept) > 4
    for name, one in every.items():
        weights, own = one.weights, kept[name]
        assert own.weights == weights // 4
        assert one.read_bytes - own.read_bytes == 12 * weights * 3 // 4
        assert one.write_bytes - own.write_bytes == 12 * weights * 3 // 4
        assert (4 * own.multiplies, 4 * own.accumulates) == (one.multiplies, one.accumulates)
        assert own.reductions == one.reductions, "packed as those of static masks"
