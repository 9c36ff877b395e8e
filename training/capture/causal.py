"""Which products are those of causal attention, and which of their axes count queries and keys.

Known where torch is asked for it: ``scaled_dot_product_attention`` with ``is_causal``. A mask that is given as a tensor
may be any, for on the meta device it holds no values. The forward pass multiplies twice, for scores and by them. Their
gradients are told by the forward product of the same autograd node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import update_wrapper
from typing import Any

import torch
from torch.nn import functional

from ..graph import MatrixAxis, MatrixProduct
from .drafts import Category, Draft
from .step_record import StepRecord

_FORWARD: tuple[tuple[MatrixAxis, MatrixAxis], ...] = (("m", "n"), ("m", "k"))
"""Axes of queries and keys: the scores are the result of the first product, and the left operand of the second."""

_IS_CAUSAL = 5
"""The place of ``is_causal`` among the arguments."""


@contextmanager
def causal_attention(record: StepRecord) -> Iterator[None]:
    """Inside, a record knows when causal attention runs."""
    plain = functional.scaled_dot_product_attention

    def attend(*args: Any, **named: Any) -> Any:
        return _told(record, plain, args, named)

    # Torch's own layers call it where no mode sees it.
    functional.scaled_dot_product_attention = update_wrapper(attend, plain)
    try:
        with _Watch(record):
            yield
    finally:
        functional.scaled_dot_product_attention = plain


class _Watch(torch.overrides.TorchFunctionMode):
    """Sees those who have the function by another name, or call the operator itself."""

    def __init__(self, record: StepRecord) -> None:
        super().__init__()
        self._record = record

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run what torch is asked for."""
        if getattr(func, "__name__", "").partition(".")[0] != "scaled_dot_product_attention":
            return func(*args, **(kwargs or {}))
        return _told(self._record, func, args, kwargs or {})


def _told(record: StepRecord, attend: Callable[..., Any], args: Sequence[Any], named: Mapping[str, Any]) -> Any:
    """Attention, the record being told whether it is causal."""
    causal = args[_IS_CAUSAL] if len(args) > _IS_CAUSAL else named.get("is_causal", False)
    before, record.causal_products = record.causal_products, 0 if causal else None
    try:
        return attend(*args, **named)
    finally:
        record.causal_products = before


def mark_causal(record: StepRecord, draft: Draft) -> None:
    """Say of a product, before it is written down, which of its axes count queries and keys, if it is causal."""
    product = draft.geometry
    assert isinstance(product, MatrixProduct), "convolutions attend to nothing"
    if not draft.in_backward:
        if record.causal_products is not None and record.causal_products < len(_FORWARD):
            draft.geometry = replace(product, causal=_FORWARD[record.causal_products])
            record.causal_products += 1
        return
    for forward in draft.partners:
        masked = forward.geometry
        if isinstance(masked, MatrixProduct) and masked.causal is not None:
            place = _forward_axes(draft, forward)
            if all(getattr(product, axis) == getattr(masked, of) for axis, of in place.items()):
                own = {of: axis for axis, of in place.items()}
                draft.geometry = replace(product, causal=(own[masked.causal[0]], own[masked.causal[1]]))
            return


def _forward_axes(draft: Draft, forward: Draft) -> dict[MatrixAxis, MatrixAxis]:
    """The axes of a gradient's product as those of C = A B: dA = dC B^T or dB = A^T dC, or one of them transposed."""
    left, right = draft.inputs[:2]
    a, b = forward.inputs[:2]
    if left.category is Category.GRADIENT:
        if right is a and right is not b:
            return {"m": "n", "n": "k", "k": "m"}
        return {"m": "m", "n": "k", "k": "n"}
    if left is b and left is not a:
        return {"m": "k", "n": "m", "k": "n"}
    return {"m": "k", "n": "n", "k": "m"}
