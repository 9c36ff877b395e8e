"""The table of docs/zoo.md: networks of many kinds, captured, their multiply-accumulates beside another count.

    python examples/zoo/zoo.py [--only WORD] [--kept ROWS.jsonl] [--out docs/zoo.md]

Networks of torch's own layers need torch alone; the others need the package that they come from (transformers,
torchvision, timm, diffusers, torch_geometric), and are left out, and named, where it is missing. Each runs on shapes
alone, in a process of its own time: one that cannot be captured is a row with the reason.

The count beside is that of torch's FlopCounterMode, run apart on a forward and backward pass of the same network at the
same batch. Two faults of it are known (see ``training.capture.mac_counter``): it counts the weight gradient of a
grouped convolution as often as there are groups, and leaves out matrix-vector and grouped products.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import own_networks as own
import torch
from bisparse.training.capture.losses import LOSSES, default_loss
from bisparse.training.capture.meta_kernels import meta_kernels
from bisparse.training.capture.packed_rows import rows_of_one_sequence
from bisparse.training.capture.routing import Routing
from bisparse.training.capture.step import arguments
from bisparse.training.graph import TrainingGraph
from bisparse.training.graph_file import SCHEMA_VERSION, graph_text
from bisparse.training.graph_reading import GraphReader
from bisparse.training.input_shape import InputShape, input_shapes
from bisparse.training.uncounted import uncounted
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers_families import FAMILIES, Family, build

import bisparse


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One network of the zoo.

    Attributes:
        name: of it.
        kind: what it is for.
        package: that it comes from.
        make: builds it.
        inputs: as the command line has them.
        asked: of ``bisparse.capture``.
    """

    name: str
    kind: str
    package: str
    make: Callable[[], torch.nn.Module]
    inputs: tuple[str, ...]
    asked: dict[str, Any] = field(default_factory=dict)


def entries() -> Iterator[Entry]:
    """All of them."""
    yield from _of_torch()
    yield from _of_bisparse()
    for kind, families in FAMILIES.items():
        for family in families:
            yield _of_transformers(kind, family)
    yield from _of_torchvision()
    yield from _of_timm()
    yield from _of_diffusers()
    yield from _of_torch_geometric()


def _of_torch() -> Iterator[Entry]:
    cells = {
        "LSTM": partial(own.TextOfCells, "LSTM"),
        "LSTM, both ways": partial(own.TextOfCells, "LSTM", bidirectional=True),
        "GRU": partial(own.TextOfCells, "GRU"),
        "RNN": partial(own.TextOfCells, "RNN"),
    }
    networks: list[tuple[str, str, Callable[[], torch.nn.Module], tuple[str, ...], dict[str, Any]]] = [
        ("MLP", "classifier", own.Mlp, ("784",), {}),
        ("autoencoder", "generative", own.Autoencoder, ("784",), {}),
        ("variational autoencoder", "generative", own.VariationalAutoencoder, ("784",), {}),
        ("U-Net", "segmentation", own.UNet, ("3x64x64",), {}),
        ("DCGAN generator", "generative", own.Generator, ("100",), {}),
        ("DCGAN discriminator", "generative", own.Discriminator, ("3x32x32",), {}),
        *((name, "recurrent", make, ("64:int",), {}) for name, make in cells.items()),
        ("nn.Transformer", "encoder and decoder", own.Seq2Seq, ("32:int", "32:int"), {}),
        ("nn.TransformerEncoder", "classifier", own.TransformerEncoder, ("64x256",), {}),
        ("temporal convolutions", "sequence", own.TemporalConvolutions, ("64x256",), {}),
        ("WaveNet", "speech", own.GatedWaves, ("1024:int",), {}),
        ("MLP-Mixer", "vision", own.MlpMixer, ("3x32x32",), {}),
        ("squeeze and excite", "vision", own.SqueezeExcite, ("3x32x32",), {}),
        ("siamese", "metric", own.Siamese, ("784", "784"), {}),
        ("SimCLR's logits", "metric", own.Contrastive, ("784", "784"), {"fixed_batch": True}),
        ("NeRF", "fields", own.RadianceField, ("1024x3",), {}),
        ("DeepSets", "sets", own.DeepSets, ("512x3",), {}),
        ("DLRM", "recommendation", own.Recommender, ("13", "8x4:int"), {}),
        ("mixture by masks", "mixtures of experts", own.Mixture, ("128",), {}),
        ("graph convolutions", "graph", own.GraphConvolutions, ("2708x1433:whole", "2x10556:int:whole"), {}),
        ("3D convolutions", "video", own.VideoNetwork, ("3x8x56x56",), {}),
        ("Fourier mixer", "text encoders", own.SpectralMixer, ("128:int",), {}),
    ]
    for name, kind, make, inputs, asked in networks:
        yield Entry(name=name, kind=kind, package="torch", make=make, inputs=inputs, asked=asked)


def _of_bisparse() -> Iterator[Entry]:
    from bisparse.training.capture import load_factory
    from bisparse.training.workloads import WORKLOADS

    for workload in WORKLOADS.values():
        yield Entry(
            name=workload.name,
            kind="shipped",
            package="torch",
            make=load_factory(workload.factory),
            inputs=tuple(map(str, workload.inputs)),
        )


def _of_transformers(kind: str, family: Family) -> Entry:
    return Entry(
        name=family.head,
        kind=kind,
        package="transformers",
        make=partial(build, family),
        inputs=family.inputs,
        asked=family.asked,
    )


_TORCHVISION = (
    "alexnet", "vgg16_bn", "googlenet", "inception_v3", "densenet121", "resnet18", "resnext50_32x4d", "wide_resnet50_2",
    "mobilenet_v3_large", "shufflenet_v2_x1_0", "squeezenet1_1", "mnasnet1_0", "efficientnet_b0", "efficientnet_v2_s",
    "regnet_y_400mf", "convnext_tiny", "swin_t", "swin_v2_t", "vit_b_16", "maxvit_t",
)  # fmt: skip


def _of_torchvision() -> Iterator[Entry]:
    def made(name: str, **options: Any) -> torch.nn.Module:
        import torchvision

        network: torch.nn.Module = torchvision.models.get_model(name, weights=None, **options)
        return network

    options: dict[str, dict[str, Any]] = {"googlenet": {"init_weights": False}, "inception_v3": {"init_weights": False}}
    segmentation = {"weights_backbone": None}
    for name in _TORCHVISION:
        size = 299 if name == "inception_v3" else 224
        make = partial(made, name, **options.get(name, {}))
        yield Entry(name=name, kind="vision", package="torchvision", make=make, inputs=(f"3x{size}x{size}",))
    for name in ("deeplabv3_resnet50", "fcn_resnet50", "lraspp_mobilenet_v3_large"):
        make = partial(made, name, **segmentation)
        yield Entry(name=name, kind="segmentation", package="torchvision", make=make, inputs=("3x224x224",))
    for name in ("r3d_18", "mc3_18", "r2plus1d_18"):
        yield Entry(name=name, kind="video", package="torchvision", make=partial(made, name), inputs=("3x8x112x112",))
    yield Entry(
        name="raft_small",
        kind="optical flow",
        package="torchvision",
        make=partial(made, "raft_small"),
        inputs=("3x128x128", "3x128x128"),
    )


def _of_timm() -> Iterator[Entry]:
    def made(name: str) -> torch.nn.Module:
        import timm

        network: torch.nn.Module = timm.create_model(name)
        return network

    for name in (
        "mixer_s16_224", "resmlp_12_224", "gmlp_s16_224", "res2net50_14w_8s", "cspresnet50", "dla34", "ghostnet_100",
        "hrnet_w18_small", "seresnet50", "repvgg_a0", "nfnet_l0", "convmixer_768_32", "coat_lite_tiny",
        "xcit_nano_12_p16_224", "edgenext_xx_small", "tinynet_a",
        "twins_svt_small", "eva02_tiny_patch14_224", "hgnet_tiny", "fastvit_t8",
    ):  # fmt: skip
        yield Entry(name=name, kind="vision", package="timm", make=partial(made, name), inputs=("3x224x224",))


def _of_diffusers() -> Iterator[Entry]:
    def made(name: str, **options: Any) -> torch.nn.Module:
        import diffusers

        network: torch.nn.Module = getattr(diffusers, name)(**options)
        return network

    small = {"block_out_channels": (64, 128, 128, 128), "norm_num_groups": 32}
    yield Entry(
        name="UNet2DModel",
        kind="diffusion",
        package="diffusers",
        make=partial(made, "UNet2DModel", sample_size=32, **small),
        inputs=("sample=3x32x32", "timestep=:int"),
    )
    yield Entry(
        name="UNet2DConditionModel",
        kind="diffusion",
        package="diffusers",
        make=partial(made, "UNet2DConditionModel", cross_attention_dim=256, **small),
        inputs=("sample=4x32x32", "timestep=:int", "encoder_hidden_states=77x256"),
    )
    yield Entry(
        name="DiTTransformer2DModel",
        kind="diffusion",
        package="diffusers",
        make=partial(made, "DiTTransformer2DModel", num_layers=2, sample_size=32),
        inputs=("hidden_states=4x32x32", "timestep=:int", "class_labels=:int"),
    )
    yield Entry(
        name="AutoencoderKL",
        kind="diffusion",
        package="diffusers",
        make=partial(made, "AutoencoderKL", block_out_channels=(64,)),
        inputs=("sample=3x64x64",),
    )


def _of_torch_geometric() -> Iterator[Entry]:
    def made(name: str) -> torch.nn.Module:
        import torch_geometric

        network: torch.nn.Module = getattr(torch_geometric.nn, name)(128, 64, 2, 7)
        return network

    for name in ("GCN", "GraphSAGE", "GIN", "GAT", "PNA"):
        if name != "PNA":
            yield Entry(
                name=f"geometric {name}",
                kind="graph",
                package="torch_geometric",
                make=partial(made, name),
                inputs=("1000x128:whole", "2x5000:int:whole"),
            )


# Counting apart -------------------------------------------------------------------------------------------------------


def torchs_count(entry: Entry, shapes: tuple[InputShape, ...], batch: int) -> int | None:
    """Multiply-accumulates of a forward and backward pass by torch's own counter; None where it cannot run so."""
    try:
        with torch.device("meta"):
            module = entry.make().train()
            samples = [
                torch.zeros(shape.with_batch(batch), dtype=torch.int64 if shape.integer else torch.float32)
                for shape in shapes
            ]
        placed, named = arguments(shapes, samples)
        counter = FlopCounterMode(display=False)
        with (
            meta_kernels(Routing()),
            sdpa_kernel(SDPBackend.MATH),
            rows_of_one_sequence(),
            torch.device("meta"),
            counter,
        ):
            output = module(*placed, **named)
            loss = entry.asked.get("loss")
            reads_tokens = any(shape.integer for shape in shapes)
            value = LOSSES[loss](output) if loss else default_loss(output, reads_tokens=reads_tokens)
            value.backward()
        return int(counter.get_total_flops()) // 2
    except Exception:
        # Whatever the other count cannot do is a blank in its column.
        return None


# The table ------------------------------------------------------------------------------------------------------------

HEADINGS = ("network", "for", "package", "batch", "MACs of a step", "torch's counter", "in no count", "remarks")
ALIKE = "the same"

Row = list[str]
"""A network's cells, under ``HEADINGS``; no batch where it is refused."""


def row_of(entry: Entry) -> Row:
    """Capture a network, and count it apart."""
    shapes = input_shapes(list(entry.inputs))
    named = [entry.name, entry.kind, entry.package]
    try:
        graph = bisparse.capture(entry.make, shapes, name=entry.name, **entry.asked)
    except bisparse.CaptureError as error:
        return [*named, "", "", "", "", str(error).replace("|", "/")]
    assert GraphReader(SCHEMA_VERSION).graph(json.loads(graph_text(graph))) == graph, "read back as it was written"
    return [*named, *_figures(graph, torchs_count(entry, shapes, graph.default_batch))]


def _figures(graph: TrainingGraph, counted: int | None) -> Iterator[str]:
    macs = graph.macs(graph.default_batch)
    yield f"{graph.default_batch}{' alone' if graph.fixed_batch else ''}"
    yield f"{macs:,}"
    yield "" if counted is None else ALIKE if counted == macs else f"{counted / macs:.4g} of it"
    unknown, missing = {each.name for each in graph.unknown}, set(uncounted(graph).values())
    share = len(uncounted(graph)) / len(graph.operators)
    yield f"{share:.2%}: {', '.join(sorted(missing))}" if missing else "0"
    read = "captured from random data" if any("random data" in note for note in graph.notes) else ""
    generic = ", ".join(sorted(unknown - missing))
    yield "; ".join(filter(None, [read, f"priced as one pass: {generic}" if generic else ""]))


def page(rows: list[Row], missing: dict[str, int]) -> str:
    """The page."""
    cells = [dict(zip(HEADINGS, row, strict=True)) for row in rows]
    done = [row for row in cells if row["batch"]]
    known = [row for row in done if row["torch's counter"]]
    alike = [row for row in known if row["torch's counter"] == ALIKE]
    named = [row for row in done if row["in no count"] != "0"]
    lines = [
        "# Networks that are captured",
        "",
        "Made by `python examples/zoo/zoo.py --out docs/zoo.md`; the script says what each network is.",
        "",
        f"{len(done)} of {len(rows)} networks are captured. Of {len(known)} torch's own counter, run apart, gives a",
        f"count: {len(alike)} agree to the last multiply-accumulate; the rest are where that counter errs (a grouped",
        "convolution's weight gradient it counts as often as there are groups; matrix-vector and grouped products it",
        f"leaves out). {len(named)} hold operators that may multiply and that no formula is known for; they are named,",
        "with their share of the operators, here and beside every answer.",
        "",
        f"| {' | '.join(HEADINGS)} |",
        f"|{'---|' * len(HEADINGS)}",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
    ]
    if missing:
        left = ", ".join(f"{count} of {package}" for package, count in missing.items())
        lines += [f"Left out, for want of their packages: {left}.", ""]
    return "\n".join(lines)


def main() -> None:
    """Capture them all and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="Networks whose name, kind or package holds this word.")
    parser.add_argument("--out", type=Path, help="The page; standard output without.")
    parser.add_argument(
        "--kept", type=Path, help="Rows as they come, and those of a run before that are not made again."
    )
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    kept: dict[str, Row] = {}
    if given.kept is not None and given.kept.exists():
        kept = {row[0]: row for row in map(json.loads, given.kept.read_text(encoding="utf-8").splitlines())}
    rows, missing = list[Row](), dict[str, int]()
    for entry in entries():
        if given.only.lower() not in f"{entry.name} {entry.kind} {entry.package}".lower():
            continue
        if entry.name not in kept and find_spec(entry.package) is None:
            missing[entry.package] = missing.get(entry.package, 0) + 1
            continue
        if entry.name not in kept:
            start = time.perf_counter()
            kept[entry.name] = row_of(entry)
            told = "captured" if kept[entry.name][3] else kept[entry.name][-1]
            print(f"{entry.package} {entry.name}: {told} ({time.perf_counter() - start:.1f} s)", file=sys.stderr)
            if given.kept is not None:
                with given.kept.open("a", encoding="utf-8") as file:
                    print(json.dumps(kept[entry.name]), file=file)
        rows.append(kept[entry.name])
    text = page(rows, missing)
    if given.out is None:
        print(text)
    else:
        given.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
