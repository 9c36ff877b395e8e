"""Images in folders, as torchvision has them: ``root/train/CLASS/*.png``, ``root/val/...``, ``root/test/...``.

The classes are the folders of ``train`` in the order of their names; images may lie deeper inside them. ``validation``
may stand for ``val``; it and ``test`` may be missing (``splits``). All images become grey when all are grey, else RGB,
and must have one size unless ``resize`` gives one. Needs pillow.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from ...configs.errors import ConfigError
from .data_set import DataSet, Split
from .labelled_samples import from_splits

_SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp"))
_GREY = frozenset(("1", "L", "LA"))
_COLOUR = frozenset(("P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"))


def load_folder(root: Path, *, resize: int | None = None) -> DataSet:
    """The data set of a folder of images.

    Args:
        root: holds ``train`` and maybe ``val`` and ``test``.
        resize: side in pixels that every image is scaled to (bilinear, without keeping its ratio); None takes them as
            they are.

    Raises:
        ConfigError: pillow is missing, the folders are not as the module says, or an image cannot be read.
    """
    files = {split: _files(root, split) for split in ("train", "validation", "test")}
    if not files["train"]:
        raise ConfigError(f"{root}: got no images in train, need {root.name}/train/CLASS/*.png")
    class_names = list(files["train"])
    for split, of_class in files.items():
        for name in of_class:
            if name not in class_names:
                raise ConfigError(
                    f"{root}: got class folder {name!r} in {split}, need folders among those of train; "
                    f"try sorting its images into {class_names[0]!r} and the others"
                )
    reader = _Reader([path for of_class in files.values() for paths in of_class.values() for path in paths], resize)
    splits = {split: reader.split(of_class, class_names) for split, of_class in files.items() if of_class}
    return from_splits(
        str(root),
        train=splits["train"],
        validation=splits.get("validation"),
        test=splits.get("test"),
        class_names=class_names,
        source=f"{root.name}, the user's folder" + (f", resized to {resize}x{resize}" if resize else ""),
    )


def _files(root: Path, split: str) -> dict[str, list[Path]]:
    folder = root / split
    if split == "validation" and not folder.is_dir():
        folder = root / "val"
    if not folder.is_dir():
        return {}
    of_class: dict[str, list[Path]] = {}
    for class_folder in sorted(entry for entry in folder.iterdir() if entry.is_dir()):
        found = sorted(path for path in class_folder.rglob("*") if path.suffix.lower() in _SUFFIXES)
        if found:
            of_class[class_folder.name] = found
    return of_class


class _Reader:
    """Reads images to one size and one mode, both found before the first is decoded."""

    def __init__(self, paths: list[Path], resize: int | None) -> None:
        self._pillow = _pillow()
        self._resize = resize
        self._mode = "L"
        self._size: tuple[int, int] | None = (resize, resize) if resize else None
        first = paths[0]
        for path in paths:
            with self._opened(path) as image:
                if image.mode not in _GREY | _COLOUR:
                    raise ConfigError(
                        f"{path}: got pixels of mode {image.mode}, need 8 bits a channel; try a PNG in RGB"
                    )
                if image.mode in _COLOUR:
                    self._mode = "RGB"
                self._size = self._size or image.size
                if not resize and image.size != self._size:
                    raise ConfigError(
                        f"{path}: got {image.size[0]}x{image.size[1]} pixels, need "
                        f"{self._size[0]}x{self._size[1]} as {first.name} has; try resize"
                    )

    def split(self, of_class: dict[str, list[Path]], class_names: list[str]) -> Split:
        assert self._size is not None
        labelled = [(path, class_names.index(name)) for name, paths in of_class.items() for path in paths]
        shape = (len(labelled), 1 if self._mode == "L" else 3, self._size[1], self._size[0])
        try:
            images = np.empty(shape, dtype=np.uint8)
        except (MemoryError, ValueError) as error:
            raise ConfigError(
                f"folder of images: got {shape[0]:,} of {shape[3]}x{shape[2]} pixels, which memory does not hold, need "
                "less; try resize"
            ) from error
        for position, (path, _) in enumerate(labelled):
            images[position] = self._pixels(path)
        return Split(inputs=images, targets=np.array([label for _, label in labelled], dtype=np.int64))

    def _pixels(self, path: Path) -> Any:
        with self._opened(path) as image:
            try:
                image = image.convert(self._mode)
                if self._resize:
                    image = image.resize(self._size, self._pillow.Resampling.BILINEAR)
                pixels = np.asarray(image)
            except (OSError, SyntaxError, ValueError) as error:
                raise ConfigError(f"{path}: got {error}, need an image that can be read") from error
        return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)

    def _opened(self, path: Path) -> Any:
        try:
            return self._pillow.open(path)
        except self._pillow.DecompressionBombError as error:
            raise ConfigError(
                f"{path}: got {error}, need images that are trained on at their size; try smaller ones"
            ) from None
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: got no image that pillow knows, need one; try opening and saving it") from error


def _pillow() -> Any:
    try:
        return importlib.import_module("PIL.Image")
    except ModuleNotFoundError as error:
        raise ConfigError(
            "folder of images: got no package 'pillow', need it to read them; try pip install pillow"
        ) from error
