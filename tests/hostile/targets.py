"""Every kind of file that bisparse reads: an example of the corpus, how it is damaged, and who reads it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import yaml

from . import forms
from .documents import Damaged, damaged
from .raw_bytes import damaged_bytes, damaged_zip
from .stores import damaged_onnx, damaged_safetensors, damaged_sqlite, damaged_torch

Command = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """A kind of file.

    Attributes:
        kind: as tables call it.
        folder: of the corpus, in which the commands run.
        file: that is damaged.
        form: of its content.
        commands: that read it.
        weight: how often it is drawn, beside the others.
        shows: a command that prints as JSON what the file says, to hold a number taken from it against.
    """

    kind: str
    folder: str
    file: str
    form: str
    commands: tuple[Command, ...]
    weight: float = 4
    shows: Command | None = None

    @property
    def cheap(self) -> bool:
        """Whether none of its commands takes more than a fraction of a second."""
        explores = "explore" in {words[0] for words in self.commands}
        return self.folder == "plain" and not explores and not self.file.startswith("study/")


def _words(*lines: str) -> tuple[Command, ...]:
    return tuple(tuple(line.split()) for line in lines)


_TRAIN = "train --model mlp --data digits --epochs 1 --recipe bdwp --sparsity 2:8"
_STUDY = "codesign --model mlp --data digits --epochs 1 --recipes bdwp --seeds 1 --jobs 1 --out study"
_OF_RUN = _words("assign dense --ratios 2:8,4:8 --json", "assign dense --ratios 2:8 --out mine.yaml")
_CAPTURE = "--no-cache --out graph.json"

PLAIN = (
    Target(
        "hardware YAML",
        "plain",
        "design.yaml",
        "yaml",
        _words(
            "hardware check design.yaml",
            "simulate mlp.json --hardware design.yaml --json",
            "gemm 24x16x32 --hardware design.yaml --json",
            "gemm 16x16x16 --sparsity 2:8 --hardware design.yaml",
            "simulate mlp.json --hardware small.yaml --out made",
            "hardware show design.yaml",
            "simulate mlp.json --hardware design.yaml --engine event --json",
            "trace mlp.json l1:FF --hardware design.yaml --out bursts.txt --limit 50",
        ),
        14,
        ("hardware", "show", "design.yaml", "--json"),
    ),
    Target(
        "energy YAML",
        "plain",
        "energy.yaml",
        "yaml",
        _words(
            "hardware check small.yaml",
            "simulate mlp.json --hardware small.yaml --json",
            "gemm 8x8x8 --hardware small.yaml --json",
        ),
        8,
    ),
    Target(
        "DRAM timings",
        "plain",
        "timing.yaml",
        "yaml",
        _words(
            "hardware check timed.yaml",
            "simulate mlp.json --hardware timed.yaml --json",
            "gemm 8x8x8 --hardware timed.yaml --json",
        ),
        8,
    ),
    Target(
        "recipe",
        "plain",
        "recipe.yaml",
        "yaml",
        _words(
            "recipes check recipe.yaml",
            "simulate mlp.json --recipe recipe.yaml --json",
            "compare mlp.json --recipes dense,recipe.yaml --json",
            "simulate mlp.json --recipe recipe.yaml --training-steps 100 --json",
        ),
        8,
        ("recipes", "show", "recipe.yaml", "--json"),
    ),
    Target(
        "recipe that others extend",
        "plain",
        "base.yaml",
        "yaml",
        _words("simulate mlp.json --recipe mine.yaml --json", "recipes show mine.yaml"),
    ),
    Target(
        "sweep",
        "plain",
        "sweep.yaml",
        "yaml",
        _words(
            "explore sweep.yaml --dry-run",
            "explore sweep.yaml --dry-run",
            "explore sweep.yaml --out made --jobs 1 --json",
            "explore sweep.yaml --out study --resume --jobs 1 --json",
        ),
        3,
    ),
    Target(
        "SCALE-Sim configuration",
        "plain",
        "scale.cfg",
        "text",
        _words("gemm 8x8x8 --hardware scale.cfg --json", "hardware check scale.cfg"),
    ),
    Target(
        "graph JSON",
        "plain",
        "mlp.json",
        "json",
        _words(
            "workloads check mlp.json",
            "simulate mlp.json --json",
            "workloads show mlp.json --json",
            "simulate mlp.json --engine event --out made",
            "simulate mlp.json --pass inference --json",
            "compare mlp.json --batch 3 --json",
            "trace mlp.json l1:FF --out bursts.txt --limit 50",
        ),
        14,
    ),
    Target(
        "saved schedule",
        "plain",
        "schedule.json",
        "json",
        _words(
            "simulate mlp.json --schedule schedule.json --json",
            "simulate mlp.json --schedule schedule.json --show-schedule",
            "simulate mlp.json --schedule schedule.json --engine event --out made",
        ),
        8,
    ),
    Target(
        "product list",
        "plain",
        "products.csv",
        "csv",
        _words("gemm --from products.csv", "gemm --from products.csv --json"),
        6,
    ),
    Target(
        "topology",
        "plain",
        "topology.csv",
        "csv",
        _words("gemm --from topology.csv --hardware scale.cfg", "gemm --from topology.csv --json"),
        6,
    ),
    Target(
        "densities",
        "plain",
        "dens/densities.csv",
        "csv",
        _words("simulate mlp.json --densities dens --json", "compare mlp.json --densities dens --json"),
        6,
    ),
    Target(
        "checkpoint, safetensors",
        "plain",
        "own.safetensors",
        "safetensors",
        _words(
            "simulate mlp.json --weights own.safetensors --json", "compare mlp.json --weights own.safetensors --json"
        ),
        6,
    ),
    Target("result of simulate", "plain", "run/result.json", "json", _words("report run"), 8),
    Target("result of compare", "plain", "pair/result.json", "json", _words("report pair"), 5),
    Target("result of ablate", "plain", "ablation/ablation.json", "json", _words("report ablation"), 6),
    Target("command of a result", "plain", "run/command.txt", "text", _words("report run"), 1),
    Target("command of an exploration", "plain", "study/explore-command.txt", "text", _words("report study"), 1),
    Target(
        "exploration, study.sqlite",
        "plain",
        "study/study.sqlite",
        "sqlite",
        _words(
            "report study",
            "explore sweep.yaml --out study --resume --jobs 1 --json",
            "explore sweep.yaml --out made --reference study --jobs 1 --json",
            "report study --design 1",
        ),
        2,
    ),
)

TORCH = (
    Target("training run, summary.json", "torch", "dense/summary.json", "json", _OF_RUN, 3),
    Target("training run, settings.json", "torch", "cut/settings.json", "json", _words(f"{_TRAIN} --out cut"), 2),
    Target("training run, checkpoint", "torch", "cut/checkpoint.pt", "torch", _words(f"{_TRAIN} --out cut"), 3),
    Target("training run, log.csv", "torch", "cut/log.csv", "csv", _words(f"{_TRAIN} --out cut"), 1),
    Target("training run, graph.json", "torch", "dense/graph.json", "json", _OF_RUN, 2),
    Target(
        "training run, weights.pt",
        "torch",
        "dense/weights.pt",
        "torch",
        _words("assign dense --ratios 1:8 --json", "simulate dense/graph.json --weights dense/weights.pt --json"),
        4,
    ),
    Target("training run, checksums", "torch", "dense/checksums.sha256", "text", _OF_RUN, 2),
    Target("layers.csv", "torch", "dense/layers.csv", "csv", _OF_RUN, 6),
    Target("result of codesign", "torch", "study/codesign.json", "json", _words("report study"), 6),
    Target(
        "codesign, summary.json",
        "torch",
        "study/runs/dense-seed0/summary.json",
        "json",
        _words(f"{_STUDY} --json"),
        0.4,
    ),
    Target(
        "ONNX",
        "torch",
        "net.onnx",
        "onnx",
        _words(f"capture net.onnx {_CAPTURE}", f"capture net.onnx --inference {_CAPTURE}"),
        6,
    ),
    Target("exported program", "torch", "net.pt2", "zip", _words(f"capture net.pt2 {_CAPTURE}"), 5),
    Target(
        "Hugging Face configuration",
        "torch",
        "config.json",
        "json",
        _words(f"capture config.json {_CAPTURE}", f"capture config.json --decode {_CAPTURE}"),
        4,
    ),
    Target(
        "checkpoint of --weights",
        "torch",
        "weights.pt",
        "torch",
        _words(f"capture net.py:made --input 1x8x8 --weights weights.pt {_CAPTURE}"),
        5,
    ),
    Target("network in Python", "torch", "net.py", "text", _words(f"capture net.py:made --input 1x8x8 {_CAPTURE}"), 1),
    Target(
        "data set, npz",
        "torch",
        "data.npz",
        "zip",
        _words("train --model mlp --data data.npz --epochs 1 --recipe dense --batch 8 --out made"),
        2,
    ),
    Target(
        "data set, text",
        "torch",
        "words.txt",
        "text",
        _words("train --model gpt --data words.txt --epochs 1 --recipe dense --batch 8 --context 8 --out made"),
        1,
    ),
)

_READERS: dict[str, Callable[[bytes], object]] = {
    "yaml": yaml.safe_load,
    "json": json.loads,
    "csv": forms.read_csv,
}
_WRITERS = {"yaml": forms.as_yaml, "json": forms.as_json, "csv": forms.as_csv}
_OWN_MEANS = {
    "sqlite": damaged_sqlite,
    "onnx": damaged_onnx,
    "torch": damaged_torch,
    "zip": damaged_zip,
    "safetensors": damaged_safetensors,
}


@functools.cache
def _read(form: str, content: bytes) -> object:
    return _READERS[form](content)


def damage(draw: Random, target: Target, content: bytes) -> tuple[str, bytes, Damaged | None]:
    """A file with something wrong: what, the content, and the document where it was damaged as one."""
    by_bytes = draw.random() < (0.25 if target.form in _READERS or target.form in _OWN_MEANS else 1)
    if by_bytes:
        return *damaged_bytes(draw, content), None
    if target.form in _OWN_MEANS:
        return *_OWN_MEANS[target.form](draw, content), None
    found = damaged(draw, _read(target.form, content))
    return found.how, _WRITERS[target.form](found.document), found
