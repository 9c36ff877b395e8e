"""The catalogue of published methods that recipes realise: ``configs/methods/catalogue.csv``, a row each.

Cells are a reader's words. ``(known)`` marks what the paper is known for and its abstract does not say, ``(code)`` what
its released code does.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal, cast, get_args

from ...configs.library import find

MethodKind = Literal[
    "baseline",
    "N:M training",
    "pruning at initialisation",
    "gradual pruning",
    "dynamic sparse training",
    "unstructured training",
    "post-training pruning",
    "structured pruning",
    "low rank and adapters",
    "structured matrices",
    "activation sparsity",
    "attention sparsity",
    "architecture search",
    "inference kernel",
    "outside of deep-network training",
]
"""Kinds of methods, in the order of lists."""

METHOD_KINDS: tuple[MethodKind, ...] = get_args(MethodKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A published method.

    Attributes:
        id: in the catalogue.
        title: of its paper.
        kind: of method.
        operand: what is sparse.
        pattern: how zeros lie.
        typical_sparsity: as published.
        phases: of FF, BP, WU, inference those that it saves something in.
        published: figures, quoted.
        apart: why they and ours cannot be compared, or what of ours is of their kind.
        without_recipe: why no recipe realises it; empty where one does.
        mathematics: module that has it on data, of a method that no training run makes; else empty.
        arithmetic: network that has what such a method asks of an accelerator; empty where that is nothing.
    """

    id: str
    title: str
    kind: MethodKind
    operand: str
    pattern: str
    typical_sparsity: str
    phases: str
    published: str
    apart: str
    without_recipe: str
    mathematics: str
    arithmetic: str


@cache
def catalogue() -> Mapping[str, Method]:
    """Methods by id, in the order of the file.

    >>> len(catalogue()), catalogue()["granet"].kind
    (58, 'dynamic sparse training')
    """
    with find("methods", "catalogue").open(encoding="utf-8", newline="") as rows:
        found = [Method(kind=cast(MethodKind, row.pop("kind")), **row) for row in csv.DictReader(rows)]
    return MappingProxyType({method.id: method for method in found})
