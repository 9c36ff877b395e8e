"""A Hugging Face ``config.json`` as a network to capture: the class of ``transformers`` that it names, without weights.

Nothing is downloaded, and code that a configuration brings along (``auto_map``) is not run.
"""

from __future__ import annotations

import importlib
import inspect
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from ...configs.errors import CaptureError, ConfigError
from ...configs.file_reading import read_file
from ...configs.strict_json import parse_json
from ..input_shape import InputShape
from .network_source import NetworkSource

_MOST_TOKENS = 512
"""Of a text, unless --input says otherwise or the model takes fewer."""

_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


def hugging_face(path: Path) -> NetworkSource:
    """The network of a configuration, or of the folder that holds it.

    Args:
        path: of the file, or of its folder.

    Raises:
        CaptureError: ``transformers`` is missing or does not know the model, or the model is of code of its own.
    """
    file = path / "config.json" if path.is_dir() else path
    document = _document(file)
    if _holds(document, "auto_map"):
        raise CaptureError(
            f"{file}: got a model of its own code (auto_map), which is not run; need one of transformers; try a "
            "factory that builds it"
        )
    if find_spec("transformers") is None:
        raise CaptureError(f"{file}: got no package 'transformers', need it; try pip install transformers")
    with _offline():
        configuration, model, notes = _model(file, document)
    called = path.name if path.is_dir() else document["model_type"]
    return NetworkSource(
        make=_builder(file, configuration, model),
        name=called,
        inputs=_inputs(configuration, model),
        file=file,
        notes=notes,
    )


def _document(file: Path) -> dict[str, Any]:
    try:
        document = parse_json(read_file(file, need="a configuration"), file=file)
    except (ConfigError, ValueError) as error:
        raise CaptureError(f"{file}: got {_one_line(error)}, need a Hugging Face configuration in JSON") from error
    if not isinstance(document, dict) or not isinstance(document.get("model_type"), str):
        raise CaptureError(f"{file}: got no model_type, need the name of a model of transformers; try a factory")
    return document


def _holds(part: Any, key: str) -> bool:
    """Whether a document has a key, however deep."""
    if isinstance(part, Mapping):
        return key in part or any(_holds(each, key) for each in part.values())
    return isinstance(part, list) and any(_holds(each, key) for each in part)


def _plain(part: Any) -> Any:
    """A document that chooses no kernels: such a choice may name code to download."""
    if isinstance(part, Mapping):
        return {key: _plain(each) for key, each in part.items() if "_implementation" not in key}
    return part


def _model(file: Path, document: Mapping[str, Any]) -> tuple[Any, type[torch.nn.Module], tuple[str, ...]]:
    """The configuration, the class of its model, and what is to be said of the choice."""
    try:
        transformers = importlib.import_module("transformers")
    except Exception as error:
        raise CaptureError(
            f"{file}: got {_one_line(error)} while importing transformers, need it to import; try python -c 'import "
            "transformers'"
        ) from error
    kind = document["model_type"]
    try:
        configuration = type(transformers.AutoConfig.for_model(kind)).from_dict(_plain(document))
    except Exception as error:
        version = getattr(transformers, "__version__", "")
        raise CaptureError(
            f"{file}: got {_one_line(error)}, need a configuration that transformers {version} takes; try another "
            "version of it"
        ) from error
    named = (document.get("architectures") or [None])[0]
    found = getattr(transformers, named, None) if isinstance(named, str) else None
    if isinstance(found, type) and issubclass(found, torch.nn.Module):
        return configuration, found, ()
    try:
        with torch.device("meta"):
            model: type[torch.nn.Module] = type(transformers.AutoModel.from_config(configuration))
    except Exception as error:
        raise CaptureError(
            f"{file}: got {_one_line(error)}, need a model of model_type '{kind}' in transformers; try a factory that "
            "builds it"
        ) from error
    why = f"transformers has no {named}" if named else "The configuration names no architecture"
    return configuration, model, (f"{why}: captured is {model.__name__}, without the head of a task.",)


def _builder(file: Path, configuration: Any, model: type[torch.nn.Module]) -> Callable[[], torch.nn.Module]:
    takes_cache = "use_cache" in inspect.signature(model.forward).parameters

    def build() -> torch.nn.Module:
        with _offline(), warnings.catch_warnings():
            # Of how its weights begin, which nobody looks at.
            warnings.simplefilter("ignore")
            network = model(configuration)
        if takes_cache:
            network.register_forward_pre_hook(_without_cache, with_kwargs=True)
        return network

    build.__qualname__ = f"{file}: {model.__name__}"
    return build


def _without_cache(module: torch.nn.Module, placed: Any, named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """A training step keeps no keys and values for tokens to come, whatever the configuration says of generating."""
    return placed, {"use_cache": False, **named} if module.training else named


def _inputs(configuration: Any, model: type[torch.nn.Module]) -> tuple[InputShape, ...] | None:
    """What a text or a vision model takes; None where whoever captures must say."""
    takes = inspect.signature(model.forward).parameters
    main = getattr(model, "main_input_name", "input_ids")
    if main == "input_ids" and "pixel_values" not in takes:
        tokens = InputShape((_tokens(configuration),), integer=True, name=main)
        if not getattr(configuration, "is_encoder_decoder", False):
            return (tokens,)
        decoded = InputShape(tokens.extents, integer=True, name="decoder_input_ids")
        return (tokens, decoded) if decoded.name in takes else (tokens,)
    size = getattr(configuration, "image_size", None)
    sides = [size, size] if isinstance(size, int) else size
    if main == "pixel_values" and "input_ids" not in takes and isinstance(sides, list | tuple) and len(sides) == 2:
        return (InputShape((getattr(configuration, "num_channels", 3), *sides), name=main),)
    return None


def _tokens(configuration: Any) -> int:
    longest = getattr(configuration, "max_position_embeddings", None)
    return min(longest, _MOST_TOKENS) if isinstance(longest, int) and longest > 0 else _MOST_TOKENS


@contextmanager
def _offline() -> Iterator[None]:
    """Nothing is asked of the network, where a model would fetch a part of itself."""
    before = {name: os.environ.get(name) for name in _OFFLINE}
    os.environ.update(dict.fromkeys(_OFFLINE, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _one_line(error: Exception) -> str:
    first_line = str(error).strip().partition("\n")[0].rstrip(".:")
    return f"{type(error).__name__}: {first_line}"
