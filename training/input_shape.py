"""The shape of one input of a network, without the batch. Free of torch."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from ..configs.errors import CaptureError

BATCH = "B"
"""The letter that stands for the batch among extents."""

InputType = Literal["fp32", "fp16", "bf16"]
"""A floating type that an input may be said to have."""


@dataclass(frozen=True, slots=True)
class InputShape:
    """Extents of one sample, none where a sample is one number.

    ``integer`` marks token indices; ``precision`` is the type of a floating input, that of the module's first floating
    parameter when None. ``name`` is the keyword that the module takes it by, by its place when empty; ``batch_axis``
    the axis along which samples lie.

    >>> print(InputShape((3, 224, 224)), InputShape((512,), integer=True), InputShape((8,), precision="bf16"))
    3x224x224 512:int 8:bf16
    >>> print(InputShape((16, 64), batch_axis=1), InputShape((512,), integer=True, name="input_ids"))
    16xBx64 input_ids=512:int
    """

    extents: tuple[int, ...]
    integer: bool = False
    precision: InputType | None = None
    name: str = ""
    batch_axis: int = 0

    def __str__(self) -> str:
        kind = "int" if self.integer else self.precision
        extents = [str(extent) for extent in self.extents]
        if self.batch_axis:
            extents.insert(self.batch_axis, BATCH)
        return (f"{self.name}=" if self.name else "") + "x".join(extents) + ("" if kind is None else f":{kind}")

    def with_batch(self, batch: int) -> tuple[int, ...]:
        """Extents of so many samples.

        >>> InputShape((16, 64), batch_axis=1).with_batch(8)
        (16, 8, 64)
        """
        return (*self.extents[: self.batch_axis], batch, *self.extents[self.batch_axis :])


InputShapes = InputShape | str | Sequence[int] | Sequence[InputShape | str | Sequence[int]]
"""The inputs of a module: one shape, or a list with one for each.

A shape is an ``InputShape``, the extents of one sample without the batch, such as ``(3, 224, 224)``, or the command
line's text, such as ``"512:int"``.
"""


def input_shapes(given: InputShapes, integer: bool | Collection[int] = False) -> tuple[InputShape, ...]:
    """One shape an input.

    Args:
        given: the shapes.
        integer: True when every input holds token indices, or the positions of those that do.

    >>> [str(shape) for shape in input_shapes([(3, 32, 32), "16:int"])]
    ['3x32x32', '16:int']

    Raises:
        CaptureError: they are none.
    """
    one = isinstance(given, InputShape | str) or (
        isinstance(given, Sequence) and all(isinstance(extent, int) for extent in given)
    )
    several: Any = [given] if one else given
    if not isinstance(several, Sequence):
        raise _refusal(given)
    if isinstance(integer, str) or not isinstance(integer, bool | Collection):
        raise CaptureError(f"integer_inputs: got {integer!r}, need True, False or positions of inputs; try [0]")
    marked: Collection[int] = integer if not isinstance(integer, bool) else range(len(several)) if integer else ()
    return tuple(_one_shape(shape, integer=position in marked) for position, shape in enumerate(several))


def _one_shape(given: object, *, integer: bool) -> InputShape:
    if isinstance(given, str):
        given = parse_input_shape(given, where="input_shape")
    if isinstance(given, InputShape):
        return replace(given, integer=given.integer or integer, precision=None if integer else given.precision)
    if not isinstance(given, Sequence) or not all(type(extent) is int and extent > 0 for extent in given):
        raise _refusal(given)
    return InputShape(tuple(given), integer=integer)


def _refusal(given: object) -> CaptureError:
    return CaptureError(
        f"input_shape: got {given!r}, need positive extents of one sample without the batch, or a list of such; "
        "try (3, 224, 224), or '512:int' for token indices"
    )


def parse_input_shape(text: str, *, where: str = "--input") -> InputShape:
    """Read ``3x224x224``, ``512:int`` for token indices, ``3x224x224:bf16``, or ``:int`` for one number a sample.

    ``16xBx64`` says where the batch lies, if it is not first; ``input_ids=512:int`` by which name the module takes it.

    >>> parse_input_shape("input_ids=512:int")
    InputShape(extents=(512,), integer=True, precision=None, name='input_ids', batch_axis=0)

    Raises:
        CaptureError: anything else.
    """
    name, named, shape = text.strip().rpartition("=")
    extents_text, colon, kind = shape.partition(":")
    extents = extents_text.split("x") if extents_text or not colon else []
    axis = extents.index(BATCH) if BATCH in extents else 0
    extents = extents[:axis] + extents[axis + 1 :] if BATCH in extents else extents
    known = {"int": None, **{name: name for name in get_args(InputType)}}
    sound = all(extent.isdecimal() and int(extent) > 0 for extent in extents) and (not named or name.isidentifier())
    if (colon and kind not in known) or not sound:
        raise CaptureError(
            f"{where}: got '{text}', need positive extents of one sample without the batch, and behind a colon its "
            f"type ({', '.join(known)}); try 3x224x224, or 512:int for token indices"
        )
    numbers = tuple(int(extent) for extent in extents)
    precision = known[kind] if colon else None
    return InputShape(numbers, integer=kind == "int", precision=precision, name=name, batch_axis=axis)
