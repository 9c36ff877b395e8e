"""Every dataflow that comes with the package passes the contract that is shipped for those of users."""

from bisparse.dataflow.dataflows import BUILT_IN, dataflow_named
from bisparse.sim.witness.machines import machine as register_machine

from bisparse.testing.dataflow_contract import DataflowContract, Played


class ByTheRegisterMachine(DataflowContract):
    def play(self, array, numbers, a, b, sparsity):
        names = ("rows", "cols", "mac_latency", "accumulate_latency", "register_depth")
        outcome = register_machine.run(
            register_machine.Machine(
                overlapped=array.overlapped,
                drain="shift" if array.shifted_drain else "wire",
                stationary_load="chain" if array.chained_load else "latch",
                **{name: getattr(array, name) for name in names},
            ),
            register_machine.Mapping(dataflow=self.dataflow.name, **numbers),
            a,
            b,
            pattern=sparsity.pattern,
            compressed=sparsity.compressed,
        )
        return Played(
            product=outcome.product,
            cycles=outcome.cycles,
            west_words=outcome.west_words,
            north_words=outcome.north_words,
            sums=outcome.sums,
        )


class TestOutputStationary(ByTheRegisterMachine):
    dataflow = dataflow_named("os")


class TestWeightStationary(ByTheRegisterMachine):
    dataflow = dataflow_named("ws")


class TestInputStationary(ByTheRegisterMachine):
    dataflow = dataflow_named("is")


def test_no_dataflow_is_left_out():
    tested = {each.dataflow.name for each in ByTheRegisterMachine.__subclasses__()}
    assert tested == set(BUILT_IN)
