"""How many activations of trained networks may be zero, by the Sparsing law (arXiv 2411.02335), and what tokens need.

    bisparse train --model gpt --data pydoc --recipe dense --epochs 1 --out runs/dense
    bisparse train --model gpt --data pydoc --recipe lazy-neuron --epochs 1 --out runs/relu
    python examples/sparsing_law.py runs/dense runs/relu            # the largest shares, run by run
    python examples/sparsing_law.py runs/relu --rises 1 --tokens    # and what tokens need of each layer

PPL-p% sparsity is the largest share of zeros at which the perplexity is p% above dense, or less. Runs of other lengths
(--epochs), widths or depths (a factory of one's own) give the law, their rows side by side. They are finished runs of
``bisparse train``, dense or under a recipe whose activations have no thresholds of their own.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from bisparse.configs.errors import BisparseError
from bisparse.training.loop.activation_study import TrainedActivations
from bisparse.training.run_summary import read_summary


def main() -> None:
    """Print the table of some runs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path, help="directories of finished runs")
    parser.add_argument("--rises", type=float, nargs="+", default=[0.0, 1.0, 5.0, 10.0], help="p, in percent")
    parser.add_argument("--tokens", action="store_true", help="of each layer, at the last p")
    given = parser.parse_args()
    rises = " | ".join(f"p = {each:g}%" for each in given.rises)
    print(f"| run | steps | perplexity | {rises} |\n|---|--:|--:|{'--:|' * len(given.rises)}")
    for run in given.runs:
        try:
            tell(run, given.rises, tokens=given.tokens)
        except BisparseError as error:
            parser.exit(2, f"{error}\n")


def tell(run: Path, rises: list[float], *, tokens: bool) -> None:
    """A row of one run, and of its layers where that is asked."""
    network = TrainedActivations(run)
    shares = [f"{network.largest_zeros(rise):.1%}" for rise in rises]
    print(f"| {run.name} | {read_summary(run).steps:,} | {math.exp(network.dense_loss):.3f} | {' | '.join(shares)} |")
    for layer in network.tokens() if tokens else ():
        parts = ", ".join(f"{each:.1%}" for each in layer.by_part)
        needed = ", ".join(f"{layer.needed[each]:.1%} of {each} ({layer.by_chance[each]:.1%})" for each in layer.needed)
        print(f"  {layer.module}: {layer.mean:.1%} non-zero, of a token {layer.least:.1%} to {layer.most:.1%}")
        print(f"    along a sequence {parts}; needed by one {needed}")


if __name__ == "__main__":
    main()
