"""Zeros without a rule: the expectation beside real masks and beside the register-level machine that plays them.

    python examples/random_zeros.py

Prints, for densities 0.1, 0.25 and 0.5 and for 1, 8 and 32 columns in lockstep that select among 8, the time as a share
of the dense one: as the closed form says, as the mean of 2,000 masks with its interval (twice the standard error), and
as the mean of machines. A machine's fill and drain are taken off; its product is checked against numpy's.
"""

import numpy as np
from bisparse.accel.tensor_engine import ArrayTiming, output_stationary_cycles
from bisparse.configs.unstructured import Unstructured
from bisparse.dataflow.formats.waiting import expected_slots, windows_of
from bisparse.sim.witness.machines.machine import Machine, Mapping
from bisparse.sim.witness.machines.random_zeros import fullest_of_windows, run_skipping

GROUP, DEPTH, MASKS, MACHINES = 8, 512, 2000, 60


def main() -> None:
    """Print the table."""
    draw = np.random.default_rng(0)
    print("| density | lanes in lockstep | closed form | mean of masks | mean of machines |\n|--:|--:|--:|--:|--:|")
    for density in (0.1, 0.25, 0.5):
        sparse = Unstructured(100 * (1 - density))
        for lanes in (1, 8, 32):
            share = expected_slots(windows_of([GROUP] * (DEPTH // GROUP)), density, lanes, 1) / DEPTH
            counts = np.array([counted(draw, sparse, lanes) for _ in range(MASKS)]) / DEPTH
            interval = 2 * counts.std() / np.sqrt(MASKS)
            machines = np.array([played(draw, sparse, lanes) for _ in range(MACHINES)]) / DEPTH
            spread = 2 * machines.std() / np.sqrt(MACHINES)
            print(
                f"| {density} | {lanes} | {share:.4f} | {counts.mean():.4f} ± {interval:.4f} | "
                f"{machines.mean():.4f} ± {spread:.4f} |"
            )


def counted(draw: np.random.Generator, sparse: Unstructured, lanes: int) -> int:
    """Slots of one mask."""
    return int(fullest_of_windows(sparse.mask(draw, lanes, DEPTH), GROUP).sum())


def played(draw: np.random.Generator, sparse: Unstructured, lanes: int) -> int:
    """Slots of one mask that the machine took, from its cycles."""
    machine = Machine(rows=1, cols=lanes)
    a = draw.integers(1, 9, (1, DEPTH)).astype(float)
    b = draw.integers(1, 9, (DEPTH, lanes)) * sparse.mask(draw, lanes, DEPTH).T
    outcome = run_skipping(machine, Mapping(dataflow="os"), a, b, window=GROUP)
    if not np.array_equal(outcome.product, a @ b):
        raise AssertionError("the machine's product is not numpy's")
    array = ArrayTiming(1, lanes, 1, 1, 1, overlapped=False, shifted_drain=True, chained_load=True)
    return outcome.cycles - int(output_stationary_cycles(array, 1, lanes, 1)) + 1


if __name__ == "__main__":
    main()
