"""Resizing: by torch's own interpolation where it computes the same, else axis by axis out of picked values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from .call import Call

_TORCHS_NAMES = {1: "linear", 2: "bilinear", 3: "trilinear"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resizing:
    """What is asked.

    Attributes:
        mode: nearest, linear or cubic.
        places: how a coordinate of the result becomes one of the source.
        rounding: of a coordinate to the nearest place.
        extents: of the result, one an axis.
        scales: likewise.
        by_scales: whether scales were given, not extents.
    """

    mode: str
    places: str
    rounding: str
    extents: list[int]
    scales: list[float]
    by_scales: bool

    def coordinate(self, at: int, axis: int, extent: int) -> float:
        """Where in the source a place of the result lies."""
        scale, target = self.scales[axis], self.extents[axis]
        if self.places == "asymmetric":
            return at / scale
        if self.places == "align_corners":
            whole = scale * extent
            return at * (extent - 1) / (whole - 1) if target > 1 else 0.0
        if self.places == "pytorch_half_pixel" and target <= 1:
            return 0.0
        moved = 0.0
        if self.places == "half_pixel_symmetric":
            moved = extent / 2 * (1 - target / (scale * extent))
        return moved + (at + 0.5) / scale - 0.5

    def nearest(self, coordinate: float) -> int:
        """The place that a coordinate is rounded to."""
        if self.rounding == "floor":
            return math.floor(coordinate)
        if self.rounding == "ceil":
            return math.ceil(coordinate)
        return math.ceil(coordinate - 0.5) if self.rounding == "round_prefer_floor" else math.floor(coordinate + 0.5)


def _resize(call: Call) -> torch.Tensor:
    first = 2 if call.opset >= 11 else 1
    scales = [float(each) for each in call.known(first).reshape(-1).tolist()] if call.has(first) else []
    extents = call.integers(3) if call.has(3) else []
    default = "half_pixel" if call.opset >= 11 else "asymmetric"
    places = call.attribute("coordinate_transformation_mode", default)
    if places == "tf_crop_and_resize" or call.attribute("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise call.node.error("got a crop or an aspect ratio that is kept, need a plain resize")
    if call.attribute("exclude_outside", 0):
        raise call.node.error("got exclude_outside, need 0")
    rounding = call.attribute("nearest_mode", "round_prefer_floor" if call.opset >= 11 else "floor")
    return _resized(call, scales, extents, places=places, rounding=rounding)


def _upsample(call: Call) -> torch.Tensor:
    scales = call.attribute("scales") if not call.has(1) else call.known(1).reshape(-1).tolist()
    return _resized(call, [float(each) for each in scales], [], places="asymmetric", rounding="floor")


def _resized(call: Call, scales: list[float], extents: list[int], *, places: str, rounding: str) -> torch.Tensor:
    source = call.tensor(0)
    axes = [axis % source.dim() for axis in call.attribute("axes") or range(source.dim())]
    all_scales, all_extents = [1.0] * source.dim(), list(source.shape)
    for number, axis in enumerate(axes):
        if scales:
            all_scales[axis] = scales[number]
            all_extents[axis] = math.floor(source.shape[axis] * scales[number])
        else:
            all_extents[axis] = extents[number]
            all_scales[axis] = extents[number] / source.shape[axis]
    asked = _Resizing(
        mode=call.attribute("mode", "nearest"),
        places=places,
        rounding=rounding,
        extents=all_extents,
        scales=all_scales,
        by_scales=bool(scales),
    )
    if asked.extents == list(source.shape) and all(scale == 1 for scale in asked.scales):
        return source
    found = _by_torch(call, source, asked)
    return _by_axis(call, source, asked) if found is None else found


def _by_torch(call: Call, source: torch.Tensor, asked: _Resizing) -> torch.Tensor | None:
    """Torch's interpolation; None where it computes something else."""
    rank = source.dim() - 2
    if rank not in _TORCHS_NAMES or asked.extents[:2] != list(source.shape[:2]):
        return None
    smooth = bool(call.attribute("antialias", 0))
    exact = all(round(scale * extent, 6) % 1 == 0 for scale, extent in zip(asked.scales, source.shape, strict=True))
    aligned = asked.places == "align_corners" and exact
    plain = asked.places in {"half_pixel", "pytorch_half_pixel"} and min(asked.extents[2:]) > 1
    if asked.mode == "nearest":
        if (asked.places, asked.rounding) != ("asymmetric", "floor"):
            return None
        mode = "nearest"
    elif not (aligned or plain):
        return None
    elif asked.mode == "linear":
        mode = _TORCHS_NAMES[rank]
    else:
        if rank != 2 or call.attribute("cubic_coeff_a", -0.75) != -0.75:
            return None
        mode = "bicubic"
    if smooth and (rank != 2 or mode == "nearest"):
        return None
    by = {"scale_factor": asked.scales[2:]} if asked.by_scales else {"size": asked.extents[2:]}
    corners = None if mode == "nearest" else aligned
    return functional.interpolate(source, mode=mode, align_corners=corners, antialias=smooth, **by)


def _by_axis(call: Call, source: torch.Tensor, asked: _Resizing) -> torch.Tensor:
    if asked.mode == "cubic" or call.attribute("antialias", 0):
        raise call.node.error(f"got {asked.mode} at {asked.places}, need cubic at half_pixel or align_corners")
    for axis, (extent, target) in enumerate(zip(source.shape, asked.extents, strict=True)):
        if extent == target and asked.scales[axis] == 1:
            continue
        coordinates = [asked.coordinate(at, axis, extent) for at in range(target)]
        if asked.mode == "nearest":
            picked = [min(max(asked.nearest(each), 0), extent - 1) for each in coordinates]
            source = _picked(call, source, axis, picked)
        else:
            source = _between(call, source, axis, [min(max(each, 0.0), extent - 1.0) for each in coordinates])
    return source


def _picked(call: Call, source: torch.Tensor, axis: int, places: Sequence[int]) -> torch.Tensor:
    return source.index_select(axis, call.constant(places))


def _between(call: Call, source: torch.Tensor, axis: int, coordinates: Sequence[float]) -> torch.Tensor:
    """Between the places before and behind each coordinate."""
    extent = source.shape[axis]
    low = [min(int(each), extent - 1) for each in coordinates]
    high = [min(each + 1, extent - 1) for each in low]
    shares = call.constant([each - least for each, least in zip(coordinates, low, strict=True)], like=source)
    along = [-1 if at == axis else 1 for at in range(source.dim())]
    before, behind = (_picked(call, source, axis, places) for places in (low, high))
    return torch.lerp(before, behind, shares.reshape(along))


RULES: dict[str, Callable[[Call], torch.Tensor]] = {"Resize": _resize, "Upsample": _upsample}
