"""The dataflows: one file each, found by name. A new one is registered here, or by a package that is installed.

Built in: output, weight and input stationary. An installed package offers its own as an entry point of the group
``bisparse.dataflows`` (name = the dataflow's, object = a ``Dataflow`` or its class); it is loaded when that name is
asked for. A program registers one with ``register_dataflow``, in its own process only.
"""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint, entry_points

from ...configs.errors import ConfigError
from .dataflow import Dataflow
from .input_stationary import INPUT_STATIONARY
from .output_stationary import OUTPUT_STATIONARY
from .weight_stationary import WEIGHT_STATIONARY

ENTRY_POINTS = "bisparse.dataflows"
"""The group in which installed packages offer dataflows."""

FIELD = "tensor_engine.dataflows"
"""Where designs name them."""

_BUILT_IN = (OUTPUT_STATIONARY, WEIGHT_STATIONARY, INPUT_STATIONARY)

BUILT_IN = tuple(dataflow.name for dataflow in _BUILT_IN)
"""Names of those that come with the package."""

_known: dict[str, Dataflow] = {dataflow.name: dataflow for dataflow in _BUILT_IN}


def dataflow_named(name: str) -> Dataflow:
    """The dataflow of a name.

    Raises:
        ConfigError: there is none, or an installed package that offers it cannot be loaded.

    >>> dataflow_named("ws").title
    'weight stationary'
    """
    if name not in _known:
        _known[name] = _installed(name)
    return _known[name]


def register_dataflow(dataflow: Dataflow) -> None:
    """Make a dataflow known by its name, in this process.

    Raises:
        ConfigError: its name is no small-lettered word, or belongs to another dataflow.
    """
    name = dataflow.name
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", name) or name == "best":
        raise ConfigError(f"dataflow: got the name {name!r}, need a word in small letters other than best")
    if _known.setdefault(name, dataflow) is not dataflow:
        raise ConfigError(f"dataflow: got the name {name}, which {_known[name].title} has, need another")


def dataflow_names() -> tuple[str, ...]:
    """The names on offer: built in, registered, and of installed packages."""
    return tuple(dict.fromkeys([*_known, *(each.name for each in _offered())]))


def is_dataflow(name: object) -> bool:
    """Whether a dataflow has this name."""
    return isinstance(name, str) and (name in _known or name in dataflow_names())


def _offered() -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=ENTRY_POINTS))


def _installed(name: str) -> Dataflow:
    offered = [each for each in _offered() if each.name == name]
    if not offered:
        raise ConfigError(f"dataflow: got {name!r}, need one of {', '.join(dataflow_names())}", field=FIELD)
    origin = f"{name}: the dataflow of {offered[0].value}"
    try:
        loaded = offered[0].load()
        found = loaded() if isinstance(loaded, type) else loaded
    except Exception as error:
        # Whatever goes wrong in a stranger's code is told as a fault of that package.
        raise ConfigError(f"{origin}: got {type(error).__name__} ({error}), need a package that loads") from error
    if not isinstance(found, Dataflow) or found.name != name:
        raise ConfigError(f"{origin}: got {found!r}, need a Dataflow of this name")
    return found
