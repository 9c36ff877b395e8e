"""Operators that move values and change none: views, copies, lookups, padding."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch.nn import functional

from ..graph import Known, unseen
from .call import Call, Result


def _reshape(call: Call) -> torch.Tensor:
    source, extents = call.tensor(0), call.listed(1, "shape") or []
    if not call.attribute("allowzero", 0):
        extents = [source.shape[axis] if extent == 0 else extent for axis, extent in enumerate(extents)]
    return source.reshape(extents)


def _flatten(call: Call) -> torch.Tensor:
    source, axis = call.tensor(0), call.attribute("axis", 1)
    axis = axis + source.dim() if axis < 0 else axis
    return source.reshape(source.shape[:axis].numel(), -1)


def _transpose(call: Call) -> torch.Tensor:
    source = call.tensor(0)
    return source.permute(call.attribute("perm") or list(range(source.dim()))[::-1])


def _squeeze(call: Call) -> torch.Tensor:
    axes = call.listed(1, "axes")
    return call.tensor(0).squeeze() if axes is None else call.tensor(0).squeeze(axes)


def _unsqueeze(call: Call) -> torch.Tensor:
    source, axes = call.tensor(0), call.listed(1, "axes") or []
    rank = source.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        source = source.unsqueeze(axis)
    return source


def _concatenate(call: Call) -> torch.Tensor:
    return torch.cat(call.tensors, dim=call.attribute("axis", 1))


def _split(call: Call) -> Result:
    source, axis = call.tensor(0), call.attribute("axis", 0)
    sizes: int | list[int] | None = call.listed(1, "split")
    if sizes is None:
        parts = call.attribute("num_outputs", len(call.node.outputs))
        sizes = -(-source.shape[axis] // parts)
    return tuple(source.split(sizes, dim=axis))  # type: ignore[no-untyped-call]


def _slice(call: Call) -> torch.Tensor:
    source = call.tensor(0)
    starts, ends = call.listed(1, "starts") or [], call.listed(2, "ends") or []
    axes = call.listed(3, "axes") or list(range(len(starts)))
    steps = call.listed(4, "steps") or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        places = range(*_within(start, end, step, source.shape[axis]))
        if step > 0:
            source = source[_along(axis, source.dim(), slice(places.start, max(places.start, places.stop), step))]
        else:
            # Torch has no steps back: forwards from the last, then turned.
            forwards = places[::-1]
            kept = slice(forwards.start, forwards.stop, -step) if len(places) else slice(0, 0)
            source = source[_along(axis, source.dim(), kept)].flip(axis)
    return source


def _within(start: int, end: int, step: int, extent: int) -> tuple[int, int, int]:
    """A slice of ONNX's, where -1 is the last and a number beyond all is all, as Python's range has it.

    >>> _within(0, 2**63 - 1, 2, 5), _within(-1, -(2**63), -1, 5)
    ((0, 5, 2), (4, -1, -1))
    """
    start, end = (each + extent if each < 0 else each for each in (start, end))
    low, high = (0, extent) if step > 0 else (-1, extent - 1)
    return min(max(start, max(low, 0)), high), min(max(end, low), high if step < 0 else extent), step


def _along(axis: int, rank: int, kept: slice | torch.Tensor) -> tuple[slice | torch.Tensor, ...]:
    return tuple(kept if at == axis % rank else slice(None) for at in range(rank))


def _gather(call: Call) -> torch.Tensor:
    source, axis = call.tensor(0), call.attribute("axis", 0)
    axis = axis % source.dim()
    where = call.values[1]
    if isinstance(where, Known) and where.value.dim() == 0:
        return source.select(axis, int(where.value))
    indices = call.tensor(1)
    if isinstance(where, Known):
        places = where.value.reshape(-1).tolist()
        if places and places == list(range(places[0], places[0] + len(places))) and places[0] >= 0:
            # A run of places is a view.
            kept = source[_along(axis, source.dim(), slice(places[0], places[0] + len(places)))]
            return kept.reshape(*source.shape[:axis], *indices.shape, *source.shape[axis + 1 :])
        indices = _positive(call, 1, source.shape[axis])
    if axis == 0 and source.dim() == 2 and source.is_floating_point():
        return functional.embedding(indices.long() if indices.dtype is torch.int32 else indices, source)
    picked = source.index_select(axis, indices.reshape(-1))
    return picked.reshape(*source.shape[:axis], *indices.shape, *source.shape[axis + 1 :])


def _gather_elements(call: Call) -> torch.Tensor:
    source, axis = call.tensor(0), call.attribute("axis", 0)
    return torch.gather(source, axis, _positive(call, 1, source.shape[axis]))


def _scatter_elements(call: Call) -> torch.Tensor:
    source, axis, updates = call.tensor(0), call.attribute("axis", 0), call.tensor(2)
    indices = _positive(call, 1, source.shape[axis])
    kind = call.attribute("reduction", "none")
    if kind == "none":
        return source.scatter(axis, indices, updates)
    if kind == "add":
        return source.scatter_add(axis, indices, updates)
    raise call.node.error(f"got reduction '{kind}', need none or add")


def _positive(call: Call, place: int, extent: int) -> torch.Tensor:
    """Indices that count from the front; those that depend on data are taken to."""
    where = call.values[place]
    if not isinstance(where, Known) or all(place >= 0 for place in where.value.reshape(-1).tolist()):
        return call.tensor(place)
    with unseen():
        return Known(where.value % extent).on(call.device)


def _coordinates(indices: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return indices.unbind(-1)


def _gather_nd(call: Call) -> torch.Tensor:
    source, indices = call.tensor(0), call.tensor(1)
    batched = call.attribute("batch_dims", 0)
    places = list(_coordinates(indices))
    rank = places[0].dim()
    for axis in reversed(range(batched)):
        along = [source.shape[axis] if at == axis else 1 for at in range(rank)]
        places.insert(0, torch.arange(source.shape[axis], device=call.device).reshape(along))
    return source[tuple(places)]


def _scatter_nd(call: Call) -> torch.Tensor:
    kind = call.attribute("reduction", "none")
    if kind not in {"none", "add"}:
        raise call.node.error(f"got reduction '{kind}', need none or add")
    return call.tensor(0).index_put(_coordinates(call.tensor(1)), call.tensor(2), accumulate=kind == "add")


def _expand(call: Call) -> torch.Tensor:
    source = call.tensor(0)
    extents = torch.broadcast_shapes(source.shape, tuple(call.integers(1)))  # type: ignore[no-untyped-call]
    return source.expand(extents)


def _tile(call: Call) -> torch.Tensor:
    return call.tensor(0).repeat(call.integers(1))


_TORCHS_NAMES = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}


def _pad(call: Call) -> torch.Tensor:
    source, mode = call.tensor(0), call.attribute("mode", "constant")
    given = call.listed(1, "pads") or call.attribute("paddings") or []
    axes = call.integers(3) if call.has(3) else list(range(source.dim()))
    pads = [(0, 0)] * source.dim()
    for number, axis in enumerate(axes):
        pads[axis] = given[number], given[number + len(axes)]
    if mode == "constant":
        return pad_constant(source, pads, call.number(2, "value", 0.0))
    padded = [axis for axis, pair in enumerate(pads) if pair != (0, 0)]
    if padded and min(padded) >= 2 and source.dim() <= 5 and all(side >= 0 for pair in pads for side in pair):
        turned = [side for pair in reversed(pads[2:]) for side in pair]
        return functional.pad(source, turned, mode=_TORCHS_NAMES[mode])
    for axis in padded:
        extent = source.shape[axis]
        places = [_mirrored(at, extent, mode) for at in range(-pads[axis][0], extent + pads[axis][1])]
        source = source.index_select(axis, call.constant(places))
    return source


def pad_constant(source: torch.Tensor, pads: Sequence[tuple[int, int]], value: float = 0.0) -> torch.Tensor:
    """Pad each axis before and behind; less than nothing crops."""
    if all(pair == (0, 0) for pair in pads):
        return source
    return functional.pad(source, [side for pair in reversed(pads) for side in pair], value=value)


def _mirrored(at: int, extent: int, mode: str) -> int:
    """The place that a padded one repeats.

    >>> [_mirrored(at, 3, "reflect") for at in range(-2, 5)]
    [2, 1, 0, 1, 2, 1, 0]
    """
    if mode == "edge":
        return min(max(at, 0), extent - 1)
    if mode == "wrap" or extent == 1:
        return at % extent
    period = at % (2 * extent - 2)
    return min(period, 2 * extent - 2 - period)


def _depth_to_space(call: Call) -> torch.Tensor:
    source, block = call.tensor(0), call.attribute("blocksize")
    if call.attribute("mode", "DCR") == "CRD":
        return functional.pixel_shuffle(source, block)
    samples, channels, height, width = source.shape
    parts = source.reshape(samples, block, block, channels // block**2, height, width).permute(0, 3, 4, 1, 5, 2)
    return parts.reshape(samples, channels // block**2, height * block, width * block)


def _space_to_depth(call: Call) -> torch.Tensor:
    source, block = call.tensor(0), call.attribute("blocksize")
    samples, channels, height, width = source.shape
    if call.attribute("mode", "DCR") == "CRD":
        return functional.pixel_unshuffle(source, block)
    parts = source.reshape(samples, channels, height // block, block, width // block, block).permute(0, 3, 5, 1, 2, 4)
    return parts.reshape(samples, channels * block**2, height // block, width // block)


RULES: dict[str, Callable[[Call], Result]] = {
    "Concat": _concatenate,
    "DepthToSpace": _depth_to_space,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "Pad": _pad,
    "Reshape": _reshape,
    "ScatterElements": _scatter_elements,
    "ScatterND": _scatter_nd,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
