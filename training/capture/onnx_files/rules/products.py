"""Matrix products and convolutions, called as torch's own layers call them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from .call import Call
from .movement import pad_constant
from .windows import Windows

_CONVOLUTIONS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
_TRANSPOSED = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}


def _convolution(call: Call) -> torch.Tensor:
    source, weight = call.tensor(0), call.tensor(1)
    windows = Windows.of(call, weight.shape[2:], source.shape[2:])
    pads = windows.before
    if not windows.symmetric:
        source, pads = pad_constant(source, [(0, 0), (0, 0), *windows.pads]), (0,) * len(pads)
    compute = _CONVOLUTIONS[_rank(call, weight)]
    return compute(
        source, weight, call.optional(2), windows.strides, pads, windows.dilations, call.attribute("group", 1)
    )


def _transposed_convolution(call: Call) -> torch.Tensor:
    source, weight = call.tensor(0), call.tensor(1)
    rank = _rank(call, weight)
    windows = Windows.of(call, weight.shape[2:], source.shape[2:])
    behind = tuple(call.attribute("output_padding") or [0] * rank)
    pads = _transposed_pads(call, windows, source.shape[2:], behind)
    before = tuple(least for least, _ in pads)
    # Torch takes as much off behind as before, and then puts on again.
    missing = tuple(more + first - last for more, (first, last) in zip(behind, pads, strict=True))
    compute = _TRANSPOSED[rank]
    settings = (call.attribute("group", 1), windows.dilations)
    within = (
        0 <= more < max(stride, dilation)
        for more, stride, dilation in zip(missing, windows.strides, windows.dilations, strict=True)
    )
    if all(within) and min(before) >= 0:
        return compute(source, weight, call.optional(2), windows.strides, before, missing, *settings)
    whole = compute(source, weight, call.optional(2), windows.strides, (0,) * rank, behind, *settings)
    return pad_constant(whole, [(0, 0), (0, 0), *((-first, -last) for first, last in pads)])


def _transposed_pads(
    call: Call, windows: Windows, source: torch.Size, behind: tuple[int, ...]
) -> list[tuple[int, int]]:
    """What is taken off the full result before and behind each axis."""
    automatic, wanted = call.attribute("auto_pad", "NOTSET"), call.attribute("output_shape")
    if wanted is None and automatic not in {"SAME_UPPER", "SAME_LOWER"}:
        return list(windows.pads)
    strides, rank = windows.strides, len(source)
    extents = list(wanted)[-rank:] if wanted else [size * stride for size, stride in zip(source, strides, strict=True)]
    found = []
    for axis in range(rank):
        span = windows.dilations[axis] * (windows.extents[axis] - 1) + 1
        total = strides[axis] * (source[axis] - 1) + behind[axis] + span - extents[axis]
        half = total // 2
        found.append((half, total - half) if automatic == "SAME_UPPER" else (total - half, half))
    return found


def _rank(call: Call, weight: torch.Tensor) -> int:
    rank = weight.dim() - 2
    if rank not in _CONVOLUTIONS:
        raise call.node.error(f"got {rank} spatial axes, need 1, 2 or 3")
    return rank


def _general(call: Call) -> torch.Tensor:
    left, right, addend = call.tensor(0), call.tensor(1), call.optional(2)
    alpha, beta = call.attribute("alpha", 1.0), call.attribute("beta", 1.0)
    if call.attribute("transA", 0):
        left = left.t()
    plain = alpha == 1 and (addend is None or beta == 1)
    if plain and (addend is None or addend.shape == (right.shape[0 if call.attribute("transB", 0) else 1],)):
        return functional.linear(left, right if call.attribute("transB", 0) else right.t(), addend)
    product = left @ (right.t() if call.attribute("transB", 0) else right)
    product = product if alpha == 1 else product * alpha
    if addend is None:
        return product
    return product + (addend if beta == 1 else addend * beta)


def _product(call: Call) -> torch.Tensor:
    return torch.matmul(call.tensor(0), call.tensor(1))


def _fused_product(call: Call) -> torch.Tensor:
    if call.attribute("transBatchA", 0) or call.attribute("transBatchB", 0):
        raise call.node.error("got transBatchA or transBatchB, need neither")
    left, right = call.tensor(0), call.tensor(1)
    left = left.transpose(-1, -2) if call.attribute("transA", 0) else left
    right = right.transpose(-1, -2) if call.attribute("transB", 0) else right
    product, alpha = torch.matmul(left, right), call.attribute("alpha", 1.0)
    return product if alpha == 1 else product * alpha


def _einsum(call: Call) -> torch.Tensor:
    return torch.einsum(call.attribute("equation"), *call.tensors)


_ATTENTION_SETTINGS = frozenset({"is_causal", "kv_num_heads", "q_num_heads", "scale", "softmax_precision"})


def _attention(call: Call) -> torch.Tensor:
    """Of opset 23: heads apart, or side by side in the last axis."""
    more = [name for name, value in call.node.attributes.items() if name not in _ATTENTION_SETTINGS and value]
    if any(call.has(place) for place in (4, 5, 6)) or more:
        told = f"got {', '.join(more)}" if more else "got a cache or padded keys"
        raise call.node.error(f"{told}, need plain attention; try exporting it as its products at a lower opset")
    query, key, value = (call.tensor(place) for place in range(3))
    apart = query.dim() == 4
    if not apart:
        heads, shared = call.attribute("q_num_heads"), call.attribute("kv_num_heads")
        query = query.reshape(*query.shape[:2], heads, -1).transpose(1, 2)
        key, value = (each.reshape(*each.shape[:2], shared, -1).transpose(1, 2) for each in (key, value))
    mask, causal = call.optional(3), bool(call.attribute("is_causal", 0))
    if causal and mask is not None:
        # Torch has one or the other.
        later = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool, device=call.device).triu(1)
        kept = (
            mask
            if mask.is_floating_point()
            else torch.zeros_like(mask, dtype=query.dtype).masked_fill(~mask, -torch.inf)
        )
        mask, causal = kept.masked_fill(later, -torch.inf), False
    found = functional.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=mask,
        is_causal=causal,
        scale=call.attribute("scale"),
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return found if apart else found.transpose(1, 2).flatten(2)


RULES: dict[str, Callable[[Call], torch.Tensor]] = {
    "Attention": _attention,
    "Conv": _convolution,
    "ConvTranspose": _transposed_convolution,
    "Einsum": _einsum,
    "Gemm": _general,
    "MatMul": _product,
    "com.microsoft.FusedMatMul": _fused_product,
}
