"""Input that is large and sound: how long commands take over it, and how much memory.

python -m tests.hostile.sizes                 all of them, as a table
python -m tests.hostile.sizes --only report   those whose names hold a word
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from bisparse.training.graph import MatrixProduct, Operator, Size, Stage, Tensor, TensorRole, TrainingGraph
from bisparse.training.graph_file import save_graph

WIDTHS = (64, 96, 128, 192, 256, 320, 384, 512, 640, 768, 896, 1024)
"""Of layers, which follow each other by chance: about 144 shapes, each with its three products."""

OPERATORS_A_LAYER = 6

SWEEP = """\
name: large
base: {hardware: sat-vcu1525, workload: resnet9-cifar10, recipe: bdwp, sparsity: "2:8", batch: 8}
axes:
  hardware.tensor_engine.rows: {from: 1, to: 100, step: 1}
  hardware.tensor_engine.cols: {from: 1, to: 100, step: 1}
  hardware.reduction_engine.lanes: {from: 1, to: 100, step: 1}
  hardware.dram.channels: {from: 1, to: 100, step: 1}
constraints: ["hardware.tensor_engine.rows * hardware.tensor_engine.cols <= 4096", "pe_count >= 16"]
objectives: [{minimise: step_seconds}, {minimise: energy_joules}]
"""


def chain(operators: int) -> TrainingGraph:
    """A training step of so many operators, more or less: linear layers of different widths, each with its ReLU."""
    draw, layers = Random(1), max(operators // OPERATORS_A_LAYER, 1)
    widths = [draw.choice(WIDTHS) for _ in range(layers + 1)]
    tensors: dict[str, Tensor] = {}

    def tensor(name: str, role: TensorRole, *extents: Size) -> str:
        tensors[name] = Tensor(name=name, shape=extents, role=role)
        return name

    samples = Size(per_sample=1)
    forward, backward, updates = list[Operator](), list[Operator](), list[Operator]()
    tensor("r0", "input", samples, Size(widths[0]))
    tensor(f"dr{layers}", "gradient", samples, Size(widths[-1]))
    for number in range(1, layers + 1):
        wide, narrow = Size(widths[number - 1]), Size(widths[number])
        before, after = f"r{number - 1}", tensor(f"r{number}", "activation", samples, narrow)
        weight = tensor(f"w{number}", "parameter", wide, narrow)
        result = tensor(f"h{number}", "activation", samples, narrow)
        gradient = tensor(f"dh{number}", "gradient", samples, narrow)
        of_weight = tensor(f"dw{number}", "parameter_gradient", wide, narrow)

        forward += [
            _product(number, Stage.FORWARD, (samples, narrow, wide), (before, weight), result),
            _vector(f"relu{number}", "relu", Stage.FORWARD, (result,), (after,), samples * widths[number]),
        ]
        of_layer = [
            _vector(
                f"relu{number}:BP",
                "relu_backward",
                Stage.BACKWARD,
                (f"dr{number}", after),
                (gradient,),
                samples * widths[number],
            ),
            _product(number, Stage.WEIGHT_GRADIENT, (wide, narrow, samples), (before, gradient), of_weight),
        ]
        if number > 1:
            below = tensor(f"dr{number - 1}", "gradient", samples, wide)
            of_layer.append(_product(number, Stage.BACKWARD, (samples, wide, narrow), (gradient, weight), below))
        backward[:0] = of_layer
        updates.append(
            _vector(
                f"w{number}:update",
                "parameter_update",
                Stage.UPDATE,
                (weight, of_weight),
                (),
                wide * widths[number],
                parameter=weight,
            )
        )
    loss = _vector("loss", "softmax_backward", Stage.BACKWARD, (f"r{layers}",), (f"dr{layers}",), samples * widths[-1])
    return TrainingGraph(
        name=f"{layers} linear layers",
        source="python -m tests.hostile.sizes",
        default_batch=64,
        tensors=tensors,
        operators=(*forward, loss, *backward, *updates),
    )


def _product(
    number: int, stage: Stage, extents: tuple[Size, Size, Size], inputs: tuple[str, ...], output: str
) -> Operator:
    m, n, k = extents
    return Operator(
        name=f"l{number}:{stage.value}",
        kind="linear",
        stage=stage,
        module=f"l{number}",
        inputs=inputs,
        outputs=(output,),
        geometry=MatrixProduct(m=m, n=n, k=k),
        parameter=f"w{number}",
    )


def _vector(
    name: str,
    kind: str,
    stage: Stage,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    elements: Size,
    *,
    parameter: str | None = None,
) -> Operator:
    return Operator(
        name=name,
        kind=kind,
        stage=stage,
        module="",
        inputs=inputs,
        outputs=outputs,
        elements=elements,
        parameter=parameter,
    )


def products(path: Path, rows: int) -> None:
    """A list of so many products, no two of one size but by chance."""
    draw = Random(1)
    with path.open("w") as file:
        file.write("name,M,N,K\n")
        for number in range(rows):
            m, n, k = (draw.randrange(1, 4096) for _ in range(3))
            file.write(f"p{number},{m},{n},{k}\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Large:
    """Something large.

    Attributes:
        name: as the table has it.
        made: makes the file that the command reads.
        command: words, the file's name among them.
        code: that it must leave with.
    """

    name: str
    made: Callable[[Path], None]
    command: str
    code: int = 0


def _graph(operators: int) -> Callable[[Path], None]:
    return lambda folder: save_graph(chain(operators), folder / "graph.json")


def _sweep(folder: Path) -> None:
    (folder / "sweep.yaml").write_text(SWEEP)


ALL = (
    Large(name="graph of 20,000 operators", made=_graph(20_000), command="simulate graph.json --json"),
    Large(name="the same, checked", made=_graph(20_000), command="workloads check graph.json"),
    Large(name="report of 5,000 operators", made=_graph(5_000), command="simulate graph.json --out run"),
    Large(
        name="the same, played event by event", made=_graph(5_000), command="simulate graph.json --engine event --json"
    ),
    Large(
        name="list of 1,000,000 products",
        made=lambda folder: products(folder / "list.csv", 1_000_000),
        command="gemm --from list.csv",
    ),
    Large(name="sweep of 10^8 designs", made=_sweep, command="explore sweep.yaml --dry-run", code=2),
    Large(name="the same, run", made=_sweep, command="explore sweep.yaml --out study", code=2),
)


def measured(large: Large) -> Iterator[str]:
    """The row of a table: what, size of what is read, CPU seconds, memory, size of the page or answer; what was told.

    Raises:
        RuntimeError: the command left with another code.
    """
    with tempfile.TemporaryDirectory(prefix="sizes-") as made:
        folder = Path(made)
        large.made(folder)
        read = max(file.stat().st_size for file in folder.iterdir())
        with (folder / "answer").open("wb") as answer, (folder / "told").open("wb") as told:
            process = subprocess.Popen(
                [sys.executable, "-m", "bisparse", *large.command.split()], cwd=folder, stdout=answer, stderr=told
            )
            _, status, used = os.wait4(process.pid, 0)
        code, said = os.waitstatus_to_exitcode(status), (folder / "told").read_text().splitlines()
        if code != large.code:
            raise RuntimeError(f"{large.command}: left with {code}: {said[-1:]}")
        page = folder / "run" / "report.html"
        written = (page if page.exists() else folder / "answer").stat().st_size
        cpu = used.ru_utime + used.ru_stime
        yield (
            f"| {large.name} | `{large.command}` | {read / 1e6:.1f} MB | {cpu:.1f} s | "
            f"{used.ru_maxrss / 1024:.0f} MiB | {written / 1e6:.1f} MB |"
        )
        if code:
            yield f"refused: {said[-1]}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.sizes", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="those whose names hold this")
    asked = parser.parse_args()
    print("| what | command | read | time of a core | memory | page or answer |\n|---|---|--:|--:|--:|--:|")
    for large in ALL:
        if asked.only in large.name:
            for line in measured(large):
                print(line, flush=True)


if __name__ == "__main__":
    main()
