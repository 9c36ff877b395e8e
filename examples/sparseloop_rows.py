"""Sparseloop's outputs for sparse tensor cores beside ours, row by row.

    python examples/sparseloop_rows.py

Prints cycles and DRAM accesses of both, in Sparseloop's convention (see ``sim/witness/sparseloop.py``), as a table.
"""

from bisparse.sim.witness.sparseloop import sparseloop_rows


def main() -> None:
    """Print the table."""
    print("| design | M x N x K | density | as | cycles, theirs | ours | ratio | accesses, theirs | ours | ratio |")
    print("|---|---|--:|---|--:|--:|--:|--:|--:|--:|")
    for row in sparseloop_rows():
        size, lying = f"{row.m}x{row.n}x{row.k}", "dense" if row.pattern.is_dense else str(row.pattern)
        cycles = f"{row.cycles:,} | {row.our_cycles:,} | {row.our_cycles / row.cycles:.3f}"
        accesses = f"{row.accesses:,} | {row.our_accesses:,} | {row.our_accesses / row.accesses:.3f}"
        print(f"| {row.design} | {size} | {row.density} | {lying} | {cycles} | {accesses} |")


if __name__ == "__main__":
    main()
