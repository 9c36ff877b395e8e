"""Finding the user's model: ``package.module:factory``, or ``FILE.py:factory``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...configs.errors import CaptureError


def load_factory(path: str, search_path: Path | str | None = None) -> Callable[..., Any]:
    """The object that ``package.module:factory`` or ``FILE.py:factory`` names.

    Args:
        path: module or file and attribute, with a colon between; the attribute may be dotted (a static method).
        search_path: folder looked in first; the working directory when None.

    Raises:
        CaptureError: the form is wrong, the module cannot be imported, or the attribute is missing or cannot be called.
    """
    module_name, colon, attribute = path.rpartition(":")
    if not colon or not module_name or not attribute:
        raise CaptureError(
            f"factory: got '{path}', need package.module:factory or FILE.py:factory; try mymodels.resnet:resnet18"
        )
    folder = Path(search_path) if search_path is not None else Path.cwd()
    if module_name.endswith(".py"):
        file = folder / module_name
        if not file.is_file():
            raise CaptureError(f"{path}: got no file {file}, need one")
        module_name, folder = file.stem, file.parent
        module = _imported(path, module_name, folder, file)
    else:
        module = _imported(path, module_name, folder)
    found: Any = module
    for name in attribute.split("."):
        if not hasattr(found, name):
            near = ", ".join(_callables(module)[:5]) or "none"
            raise CaptureError(
                f"{path}: got no '{name}' in {module_name}, need a function that returns a module; try one of: {near}"
            )
        found = getattr(found, name)
    if not callable(found):
        raise CaptureError(
            f"{path}: got a {type(found).__name__}, need a function that returns a torch.nn.Module; "
            "try a function around it"
        )
    return found  # type: ignore[no-any-return]


def _imported(path: str, module_name: str, folder: Path, file: Path | None = None) -> Any:
    entry = str(folder.resolve())
    if entry not in sys.path:
        # It stays there, as python itself does for a script: a factory may import its neighbours when it runs.
        sys.path.insert(0, entry)
    try:
        return importlib.import_module(module_name) if file is None else _of_file(module_name, file)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        if module_name == missing or module_name.startswith(f"{missing}."):
            raise CaptureError(
                f"{path}: got no module '{missing}' in {folder} or among installed packages, need one; "
                "try running from the folder that holds it"
            ) from error
        raise CaptureError(
            f"{path}: got an import of '{missing}' in {module_name}, need it installed; try pip install {missing}"
        ) from error
    except Exception as error:
        first_line = str(error).strip().partition("\n")[0]
        raise CaptureError(
            f"{path}: got {type(error).__name__} while importing {module_name}: {first_line}, need it to import; "
            f"try python -c 'import {module_name}'"
        ) from error


def _of_file(module_name: str, file: Path) -> Any:
    """A file as a module; under another name where its own is taken by somebody else's."""
    for name in (module_name, f"{module_name}_of_{abs(hash(file.resolve())):x}"):
        known, module_name = sys.modules.get(name), name
        if known is None:
            break
        if Path(getattr(known, "__file__", None) or "").resolve() == file.resolve():
            return known
    spec = importlib.util.spec_from_file_location(module_name, file)
    assert spec is not None, "a file that ends in .py has a loader"
    assert spec.loader is not None, "a file that ends in .py has a loader"
    module = importlib.util.module_from_spec(spec)
    # Classes of it are looked up by name when a model is copied.
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    return module


def _callables(module: Any) -> list[str]:
    own = [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and callable(value) and getattr(value, "__module__", None) == module.__name__
    ]
    return sorted(own)
