"""The shape of one input of a network, without the batch. Free of torch."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from ..configs.errors import CaptureError

BATCH = "B"
"""The letter that stands for the batch among extents."""

WHOLE = "whole"
"""Behind a colon: the input is as it is, without a batch."""

InputType = Literal["fp32", "fp16", "bf16"]
"""A floating type that an input may be said to have."""


@dataclass(frozen=True, slots=True)
class InputShape:
    """Extents of one sample, none where a sample is one number.

    ``integer`` marks token indices; ``precision`` is the type of a floating input, that of the module's first floating
    parameter when None. ``name`` is the keyword that the module takes it by, by its place when empty; with a dot, the
    keyword or place of a dictionary and the key in it. ``batch_axis`` is the axis along which samples lie, None where
    an input has none (the edges of a graph): its extents are all there is then.

    >>> print(InputShape((3, 224, 224)), InputShape((512,), integer=True), InputShape((8,), precision="bf16"))
    3x224x224 512:int 8:bf16
    >>> print(InputShape((16, 64), batch_axis=1), InputShape((512,), integer=True, name="input_ids"))
    16xBx64 input_ids=512:int
    >>> print(InputShape((2, 5000), integer=True, batch_axis=None), InputShape((3, 8, 8), name="0.image"))
    2x5000:int:whole 0.image=3x8x8
    """

    extents: tuple[int, ...]
    integer: bool = False
    precision: InputType | None = None
    name: str = ""
    batch_axis: int | None = 0

    def __str__(self) -> str:
        kind = "int" if self.integer else self.precision
        extents = [str(extent) for extent in self.extents]
        if self.batch_axis:
            extents.insert(self.batch_axis, BATCH)
        told = [kind, WHOLE if self.batch_axis is None else None]
        behind = "".join(f":{each}" for each in told if each is not None)
        return (f"{self.name}=" if self.name else "") + "x".join(extents) + behind

    def with_batch(self, batch: int) -> tuple[int, ...]:
        """Extents of so many samples.

        >>> InputShape((16, 64), batch_axis=1).with_batch(8)
        (16, 8, 64)
        """
        if self.batch_axis is None:
            return self.extents
        return (*self.extents[: self.batch_axis], batch, *self.extents[self.batch_axis :])


InputShapes = InputShape | str | Sequence[Any] | Mapping[str, Any]
"""The inputs of a module: one, a list with one for each place, or a mapping with one for each keyword.

One input is an ``InputShape``; the extents of one sample without the batch, such as ``(3, 224, 224)``; the command
line's text, such as ``"512:int"``; or an example tensor, samples along its first axis, whose values are not looked at.
A module that takes a dictionary has a mapping in that place.
"""


def input_shapes(given: Any, integer: bool | Collection[int] = False) -> tuple[InputShape, ...]:
    """One shape an input.

    Args:
        given: the inputs, see ``InputShapes``.
        integer: True when every input holds token indices, or the positions of those that do.

    >>> [str(shape) for shape in input_shapes([(3, 32, 32), "16:int"])]
    ['3x32x32', '16:int']
    >>> [str(shape) for shape in input_shapes({"input_ids": "16:int", "pixels": (3, 8, 8)})]
    ['input_ids=16:int', 'pixels=3x8x8']
    >>> [str(shape) for shape in input_shapes([{"image": (3, 8, 8), "token": "1:int"}])]
    ['0.image=3x8x8', '0.token=1:int']

    Raises:
        CaptureError: they are none.
    """
    extents = isinstance(given, Sequence) and all(isinstance(extent, int) for extent in given)
    several: Any = [given] if extents or isinstance(given, InputShape | str) or _is_tensor(given) else given
    if not isinstance(several, Sequence | Mapping):
        raise _refusal(given)
    if isinstance(integer, str) or not isinstance(integer, bool | Collection):
        raise CaptureError(f"integer_inputs: got {integer!r}, need True, False or positions of inputs; try [0]")
    named = list(_by_name(several))
    marked: Collection[int] = integer if not isinstance(integer, bool) else range(len(named)) if integer else ()
    return tuple(_one_shape(shape, name, integer=at in marked) for at, (name, shape) in enumerate(named))


def _by_name(inputs: Sequence[Any] | Mapping[str, Any], inside: str = "") -> Iterator[tuple[str, Any]]:
    """Every input with its name; empty for one in a list, whose place is its number."""
    if isinstance(inputs, Mapping):
        for key, each in inputs.items():
            name = f"{inside}{key}"
            if isinstance(each, Mapping):
                yield from _by_name(each, f"{name}.")
            else:
                yield name, each
        return
    for place, each in enumerate(inputs):
        if isinstance(each, Mapping):
            yield from _by_name(each, f"{place}.")
        else:
            yield "", each


def _is_tensor(given: object) -> bool:
    """Whether it is a tensor of torch, or an array of NumPy."""
    return hasattr(given, "shape") and hasattr(given, "dtype")


_PRECISIONS: dict[str, InputType] = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}


def _one_shape(given: Any, name: str, *, integer: bool) -> InputShape:
    if _is_tensor(given):
        kind = str(given.dtype).removeprefix("torch.")
        if not given.shape:
            raise CaptureError("input_shape: got a tensor of one number, need samples along its first axis")
        shape = InputShape(
            tuple(int(extent) for extent in given.shape[1:]),
            integer=not kind.startswith(("float", "bfloat", "complex")),
            precision=_PRECISIONS.get(kind),
        )
    elif isinstance(given, str):
        shape = parse_input_shape(given, where="input_shape")
    elif isinstance(given, InputShape):
        shape = given
    elif isinstance(given, Sequence) and all(type(extent) is int and extent > 0 for extent in given):
        shape = InputShape(tuple(given))
    else:
        raise _refusal(given)
    return replace(
        shape,
        name=name or shape.name,
        integer=shape.integer or integer,
        precision=None if integer else shape.precision,
    )


def _refusal(given: object) -> CaptureError:
    return CaptureError(
        f"input_shape: got {given!r}, need positive extents of one sample without the batch, an example tensor, or a "
        "list or a mapping of such; try (3, 224, 224), or '512:int' for token indices"
    )


def _is_extent(text: str) -> bool:
    """Whether a text is a positive extent, of no more digits than a size has."""
    return text.isdecimal() and len(text) <= 18 and int(text) > 0


def parse_input_shape(text: str, *, where: str = "--input") -> InputShape:
    """Read ``3x224x224``, ``512:int`` for token indices, ``3x224x224:bf16``, or ``:int`` for one number a sample.

    ``16xBx64`` says where the batch lies, if it is not first; ``2x5000:int:whole`` that there is none;
    ``input_ids=512:int`` by which name the module takes it, ``0.image=3x8x8`` by which key of a dictionary in which
    place.

    >>> parse_input_shape("input_ids=512:int")
    InputShape(extents=(512,), integer=True, precision=None, name='input_ids', batch_axis=0)
    >>> parse_input_shape("1000x64:whole")
    InputShape(extents=(1000, 64), integer=False, precision=None, name='', batch_axis=None)

    Raises:
        CaptureError: anything else.
    """
    name, named, shape = text.strip().rpartition("=")
    extents_text, *behind = shape.split(":")
    whole = WHOLE in behind
    kinds = [word for word in behind if word != WHOLE]
    extents = extents_text.split("x") if extents_text or not behind else []
    axis = extents.index(BATCH) if BATCH in extents else 0
    if BATCH in extents and not whole:
        extents = extents[:axis] + extents[axis + 1 :]
    known = {"int": None, **{name: name for name in get_args(InputType)}}
    sound = all(_is_extent(extent) for extent in extents) and (not named or _is_name(name))
    if len(behind) > len(set(behind)) or len(kinds) > 1 or any(kind not in known for kind in kinds) or not sound:
        raise CaptureError(
            f"{where}: got '{text}', need positive extents of one sample without the batch, and behind a colon its "
            f"type ({', '.join(known)}) or {WHOLE} where it has no batch; try 3x224x224, or 512:int for token indices"
        )
    return InputShape(
        tuple(int(extent) for extent in extents),
        integer="int" in kinds,
        precision=known[kinds[0]] if kinds else None,
        name=name,
        batch_axis=None if whole else axis,
    )


def _is_name(name: str) -> bool:
    """Whether it is a keyword, or with dots the keys in one, or in a place."""
    first, *keys = name.split(".")
    return (first.isidentifier() or (bool(keys) and first.isdecimal())) and all(keys)
