"""Names of weights in checkpoints: what wrappers put before them, masks beside them, indices of files.

Free of torch.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from ..configs.errors import CaptureError, ConfigError
from ..configs.file_reading import read_file
from ..configs.strict_json import parse_json

INDEX = ".index.json"
"""How the name of a file ends that says which others hold the weights."""

_PREFIXES = ("module.", "_orig_mod.")
"""What ``DataParallel`` and ``torch.compile`` put before names."""

Held = TypeVar("Held")
"""What stands for a tensor."""


def fitted(
    found: Mapping[str, Held], needed: Container[str], masked: Callable[[Held, Held], Held | None]
) -> Iterator[tuple[str, Held]]:
    """Tensors under the network's names: without prefixes, and masks of ``torch.nn.utils.prune`` applied.

    Args:
        found: by the checkpoint's names.
        needed: the network's names.
        masked: applies a mask to a weight; None where they do not fit.
    """
    tensors = {_without_prefixes(name, needed): held for name, held in found.items()}
    for name, held in tensors.items():
        plain, mask = name.removesuffix("_orig"), tensors.get(f"{name.removesuffix('_orig')}_mask")
        if name.endswith("_orig") and mask is not None and name not in needed:
            both = masked(held, mask)
            yield plain, held if both is None else both
        elif not (name.endswith("_mask") and f"{name.removesuffix('_mask')}_orig" in tensors and name not in needed):
            yield name, held


def _without_prefixes(name: str, needed: Container[str]) -> str:
    while name not in needed:
        short = next((name.removeprefix(each) for each in _PREFIXES if name.startswith(each)), None)
        if short is None:
            return name
        name = short
    return name


def shard_files(index: Path) -> list[Path]:
    """The files beside an index that hold the weights, as Hugging Face splits large checkpoints.

    Raises:
        CaptureError: the index is damaged, or names none.
    """
    try:
        shards = parse_json(read_file(index, need="an index of a checkpoint"), file=index)["weight_map"].values()
        names = {Path(name).name for name in shards}
    except (ConfigError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise unreadable(index, error) from error
    return [index.parent / name for name in sorted(names)]


def unreadable(file: Path, error: Exception) -> CaptureError:
    """The one line that says that weights cannot be read."""
    first_line = str(error).strip().partition("\n")[0].rstrip(".")
    return CaptureError(f"{file}: got {type(error).__name__}: {first_line}, need whole weights; try saving them again")
