"""Names of modules and parameters out of the names of nodes and initialisers."""

from __future__ import annotations

import re
from collections.abc import Collection

import torch

_OWN = frozenset({*dir(torch.nn.Module()), "_document", "_folded", "_known", "_paths", "_places", "named_tensor"})
"""Attributes of the modules that are made, which no initialiser may take the place of."""

_MADE_UP = re.compile(r"onnx::\w+|val_\d+|\d+")

_LAYER = {1: "weight", 2: "bias"}
_ROLES: dict[str, dict[int, str]] = {
    **dict.fromkeys(("Conv", "ConvTranspose", "Gemm"), _LAYER),
    **{f"{kind}Normalization": _LAYER for kind in ("Batch", "Layer", "Instance", "Group")},
    **{kind: {1: "weight_ih", 2: "weight_hh", 3: "bias"} for kind in ("LSTM", "GRU", "RNN")},
    **{kind: {0: "weight", 1: "weight"} for kind in ("MatMul", "Gather", "PRelu", "Mul")},
    "Add": {0: "bias", 1: "bias"},
}


def made_up(name: str) -> bool:
    """Whether an exporter made a name up, so that it says nothing.

    >>> made_up("onnx::MatMul_213"), made_up("layer1.0.conv1.weight")
    (True, False)
    """
    return _MADE_UP.fullmatch(name) is not None


def role_of(kind: str, position: int) -> str:
    """What an operand is to its operator.

    >>> role_of("Conv", 1), role_of("Where", 1)
    ('weight', 'constant')
    """
    return _ROLES.get(kind, {}).get(position, "constant")


def legal(dotted: str) -> str:
    """A path that torch takes for modules and parameters.

    >>> legal("layer1.0.conv1"), legal("model/conv2d:0"), legal("forward")
    ('layer1.0.conv1', 'model.conv2d_0', 'forward_')
    """
    parts = (re.sub(r"\W", "_", part) for part in re.split(r"[./]", dotted) if part)
    return ".".join(f"{part}_" if part in _OWN else part for part in parts)


class Scopes:
    """The modules that nodes were exported from, as far as names tell.

    Args:
        tensors: names of initialisers; those with dots tell which modules there are.

    >>> scopes = Scopes(["layer1.0.conv1.weight", "layers.layers.1.norm.weight"])
    >>> scopes.of("/layer1/layer1.0/conv1/Conv", "Conv"), scopes.of("/layers/layers.1/dropout/Dropout", "Dropout")
    ('layer1.0.conv1', 'layers.layers.1.dropout')
    >>> scopes.of("/Add_1", "Add"), scopes.of("Conv_0", "Conv", ["x", "layer1.0.conv1.weight"])
    ('', 'layer1.0.conv1')
    """

    def __init__(self, tensors: Collection[str]) -> None:
        self._tensors = frozenset(tensors)
        self._modules = frozenset(
            name[: dot.start()] for name in tensors if not made_up(name) for dot in re.finditer(r"\.", name)
        )

    def of(self, called: str, kind: str, inputs: Collection[str] = (), exported: str | None = None) -> str:
        """The dotted path of a node's module; empty at the top.

        Args:
            called: the node's name, or its first output's where it has none.
            kind: of operator.
            inputs: names that it reads.
            exported: what the exporter said in so many words.
        """
        if exported is not None:
            return legal(exported)
        if "/" not in called:
            known = (name.rpartition(".")[0] for name in inputs if name in self._tensors and not made_up(name))
            return legal(next((name for name in known if name), called))
        paths: list[tuple[str, ...]] = [()]
        parts = [part for part in called.split("/") if part]
        for part in parts[:-1] if parts and parts[-1].startswith(kind) else parts:
            # A child of a torch container is called layer1.0 inside of layer1; a module may have such a child too.
            again = [(*path[:-1], part) for path in paths if path and part.startswith(f"{path[-1]}.")]
            paths = sorted([*again, *((*path, part) for path in paths)], key=self._fit)[:_MOST_READINGS]
        return legal(".".join(paths[0]))

    def _fit(self, path: tuple[str, ...]) -> int:
        """Less, the more of its names are a module that is known; a sort leaves equals in order."""
        names = ".".join(path).split(".")
        known = (count for count in range(len(names), 0, -1) if ".".join(names[:count]) in self._modules)
        return -next(known, 0)


_MOST_READINGS = 8
"""Readings of a path that are looked into."""
