"""Files that are whole, made by bisparse itself: what the campaign damages.

Two folders: ``plain`` needs no torch and seconds; ``torch`` holds training runs, studies of them, and networks.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from bisparse.configs import library
from bisparse.training.graph_file import save_graph

from bisparse.command_line import main

from ..stand_ins import TRANSFORMERS

CLAIMS = """\
name: tiny
base: {hardware: sat-vcu1525, recipe: bdwp, sparsity: "2:8", batch: 8}
axes: {hardware.tensor_engine.rows: [8, 16]}
ranges: false
runs: {workload: [mlp.json]}
claims: [{name: fast, source: a test, value: speedup_vs_dense, least: 1}]
answers: [{name: energy, value: energy_ratio_vs_dense}]
draws: 2
"""

SWEEP = """\
name: tiny
base: {hardware: sat-vcu1525, workload: mlp.json, recipe: bdwp, sparsity: "2:8", batch: 8}
axes:
  hardware.tensor_engine.rows: [8, 16]
  lanes: {from: 4, to: 8, factor: 2}
derived: {hardware.reduction_engine.lanes: "lanes * 1"}
constraints: ["hardware.tensor_engine.rows <= 16"]
objectives: [{minimise: step_seconds}, {minimise: energy_joules}]
"""

SCALESIM = """\
[general]
run_name = small
[architecture_presets]
ArrayHeight:    16
ArrayWidth:     8
IfmapSramSzkB:    64
FilterSramSzkB:   64
OfmapSramSzkB:    64
IfmapOffset:    0
FilterOffset:   10000000
OfmapOffset:    20000000
Dataflow : ws
Bandwidth : 10
[run_presets]
InterfaceBandwidth: USER
"""

TOPOLOGY = """\
Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,
Conv1, 12, 12, 3, 3, 4, 8, 1,
Conv2, 10, 10, 3, 3, 8, 8, 2,
"""

PRODUCTS = "name,M,N,K,rows,cols,dataflow,sparsity\na,8,8,16,8,8,os,1:1\nb,12,24,32,16,8,ws,2:8\nc,5,7,9,8,8,best,\n"

NETWORK = """\
from torch import nn

def made():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 8))
"""


def bisparse(*words: object) -> None:
    """Run a command line that must do what it is for.

    Raises:
        RuntimeError: it did not.
    """
    told = io.StringIO()
    try:
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            main([str(word) for word in words])
    except SystemExit as left:
        if left.code != 0:
            raise RuntimeError(f"{words}: {told.getvalue()}") from None


def make_corpus(folder: Path, *, with_torch: bool, cheap: bool = False) -> None:
    """Make the whole files, those that are not there yet; no exploration where only what is cheap is wanted."""
    for name, maker in (("plain", lambda: _plain(explored=not cheap)), ("torch", _torch)):
        made, whole = folder / name, folder / f"{name}.whole"
        if (name == "torch" and not with_torch) or whole.exists():
            continue
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        with contextlib.chdir(made):
            maker()
        for page in list(_pages(made)):
            # Megabytes that nothing reads.
            page.unlink()
        whole.touch()


def _pages(folder: Path) -> Iterator[Path]:
    yield from (file for file in folder.rglob("*") if file.suffix in (".html", ".parquet") and file.is_file())


def _plain(*, explored: bool) -> None:
    from ..unit.dataflow.hand_made import MLP

    save_graph(MLP, Path("mlp.json"))
    for kind, name, target in (
        ("hardware", "sat-vcu1525", "design.yaml"),
        ("energy", "16nm-fpga", "energy.yaml"),
        ("dram", "ddr4-2400", "timing.yaml"),
        ("recipes", "bdwp", "recipe.yaml"),
        ("recipes", "bi-mask", "base.yaml"),
    ):
        Path(target).write_bytes(Path(library.find(kind, name)).read_bytes())
    Path("small.yaml").write_text("name: small\nextends: design.yaml\nenergy_table: energy.yaml\n")
    timed = library.find("hardware", "sat-vcu1525-timed").read_text()
    Path("timed.yaml").write_text(timed.replace("value: ddr4-2400", "value: timing.yaml"))
    Path("mine.yaml").write_text("name: mine\nextends: base.yaml\ndense: {names: ['l1*']}\n")
    files = {"sweep.yaml": SWEEP, "claims.yaml": CLAIMS, "scale.cfg": SCALESIM, "topology.csv": TOPOLOGY}
    for name, text in files.items():
        Path(name).write_text(text)
    Path("products.csv").write_text(PRODUCTS)
    Path("dens").mkdir()
    rows = ["epoch,module,input_density,gradient_density,forward_weight_density,backward_weight_density,mask_churn"]
    rows += [f"{epoch},{module},0.5,0.25,0.25,0.25,0.01" for epoch in (1, 2) for module in ("l1", "l2")]
    Path("dens", "densities.csv").write_text("\n".join(rows) + "\n")
    _safetensors()
    bisparse("simulate", "mlp.json", "--batch", 8, "--save-schedule", "schedule.json", "--out", "run")
    bisparse("compare", "mlp.json", "--recipes", "dense,bdwp", "--batch", 8, "--engine", "event", "--out", "pair")
    bisparse("ablate", "mlp.json", "--batch", 8, "--out", "ablation")
    if not explored:
        return
    bisparse("explore", "sweep.yaml", "--out", "study", "--jobs", 1)
    for left in ("designs", "best"):
        shutil.rmtree(Path("study", left), ignore_errors=True)


def _safetensors() -> None:
    """The weights of the MLP, every other value zero."""
    from ..unit.dataflow.hand_made import HIDDEN, INPUTS, OUTPUTS

    header, data = {}, b""
    for name, shape in (("w1", [INPUTS, HIDDEN]), ("w2", [HIDDEN, OUTPUTS])):
        content = b"\0\0\x80\x3f\0\0\0\0" * (shape[0] * shape[1] // 2)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data + content)]}
        data += content
    text = json.dumps(header).encode()
    Path("own.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)


def _torch() -> None:
    import torch

    train = ("train", "--model", "mlp", "--data", "digits", "--epochs", 1)
    bisparse(*train, "--recipe", "dense", "--out", "dense")
    bisparse("assign", "dense", "--ratios", "2:8,4:8", "--out", "assigned.yaml")
    _cut_short(train)
    study = ("codesign", "--model", "mlp", "--data", "digits", "--epochs", 1, "--recipes", "bdwp", "--seeds", 1)
    bisparse(*study, "--jobs", 1, "--out", "study")
    Path("net.py").write_text(NETWORK)
    Path("transformers.py").write_text(TRANSFORMERS)
    Path("config.json").write_text(
        json.dumps({"model_type": "small", "architectures": ["SmallModel"], "hidden_size": 8, "vocab_size": 16})
    )
    network = _networks()
    torch.save(network.state_dict(), "weights.pt")
    _data()


def _cut_short(train: tuple[object, ...]) -> None:
    """A run that stopped after its last epoch: its checkpoint is there, its summary is not."""
    from unittest import mock

    from bisparse.training.loop.run import Run

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with mock.patch.object(Run, "_summarise", stopped), contextlib.suppress(RuntimeError):
        bisparse(*train, "--out", "cut")


def _networks() -> object:
    """The network of net.py, as the program that torch exports and as ONNX."""
    import runpy

    import torch

    network = runpy.run_path("net.py")["made"]()
    sample = torch.zeros(2, 1, 8, 8)
    program = torch.export.export(network, (sample,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(program, "net.pt2")
    network.eval()
    torch.onnx.export(network, (sample,), "net.onnx", dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "batch"}})
    return network


def _data() -> None:
    import numpy as np

    draw = np.random.default_rng(1)
    images, labels = draw.integers(0, 255, (60, 8, 8), np.uint8), np.arange(60) % 3
    np.savez("data.npz", train_inputs=images, train_targets=labels)
    Path("words.txt").write_text("the quick brown fox jumps over the lazy dog\n" * 60)
