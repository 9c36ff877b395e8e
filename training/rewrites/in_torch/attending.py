"""Attention of a module made another one: what stands in the place of torch's own while the module runs.

A module asks torch for attention by ``functional.scaled_dot_product_attention``. Hooks before and behind its forward
pass put ours there and take it away again, so that its class, its code and the names of its parameters stay. A module
that multiplies its scores itself asks nobody, and is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from ....configs.errors import ConfigError
from ..attention_rewrite import AttentionRewrite
from ..block_attention import BlockAttention
from ..low_rank_attention import LowRankAttention
from ..sampled_attention import SampledAttention
from .chosen_attention import Comparison, FewTokens, attend_to_blocks, attend_to_sampled
from .scattered_attention import Hash, attend_by_features, drawn_features


def rewrite_attention(module: nn.Module, path: str, entry: AttentionRewrite, *, width: int, keys: int) -> None:
    """Let a module attend as an entry says.

    Args:
        module: with attention; parameters of its own that the entry needs are added to it.
        path: of it.
        entry: of a recipe, of a kind that trains.
        width: of its queries and keys.
        keys: of each query.

    Raises:
        ConfigError: it attends otherwise already, or has something by a name that the entry needs.
    """
    like = next((each for each in module.parameters() if each.is_floating_point()), None)
    own: dict[str, nn.Module | Tensor] = {}
    if isinstance(entry, BlockAttention) and entry.gate is not None:
        own["gate"] = Comparison(width, 3 * width, entry.gate.width)
    elif isinstance(entry, SampledAttention):
        by_tokens = entry.across == "tokens"
        few = entry.predictor
        own["predictor"] = FewTokens(keys, few) if by_tokens else Comparison(width, width, few)
    elif isinstance(entry, LowRankAttention):
        own["features"] = drawn_features(width, entry.features)
        own |= {"hash": Hash(width, entry.buckets)} if entry.buckets else {}
    for name, each in own.items():
        if hasattr(module, name):
            raise ConfigError(f"layers: got {path}, which has a {name} of its own, need one without", field="layers")
        each = each if like is None else each.to(device=like.device, dtype=like.dtype)
        if isinstance(each, nn.Module):
            module.add_module(name, each)
        else:
            module.register_buffer(name, each)
    if _STATE in module.__dict__:
        raise ConfigError(
            f"layers: got {path} in two entries, need attention that one of them rewrites", field="layers"
        )
    module.__dict__[_STATE] = None
    module.register_forward_pre_hook(_Begin(entry))
    module.register_forward_hook(_End(path), always_call=True)


_STATE = "_bisparse_attends"


@dataclass(slots=True)
class _Under:
    """What torch's function was before a forward pass of a module, and whether the module asked for attention."""

    before: Any
    asked: bool = False


@dataclass(frozen=True, slots=True)
class _Begin:
    entry: AttentionRewrite

    def __call__(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        under = _Under(functional.scaled_dot_product_attention)
        module.__dict__[_STATE] = under
        functional.scaled_dot_product_attention = partial(_attend, module, self.entry, under)


@dataclass(frozen=True, slots=True)
class _End:
    path: str

    def __call__(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        under, module.__dict__[_STATE] = module.__dict__[_STATE], None
        if under is None:
            return
        functional.scaled_dot_product_attention = under.before
        if not under.asked and output is not None:
            raise ConfigError(
                f"layers: got {self.path}, which multiplies its scores itself, need attention that asks torch for it "
                "(scaled_dot_product_attention) to train it rewritten",
                field="layers",
            )


def _attend(
    module: nn.Module,
    entry: AttentionRewrite,
    under: _Under,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    under.asked = True
    if attn_mask is not None:
        raise ConfigError(
            "layers: got attention with a mask that is a tensor, need causal attention or one that sees all keys to "
            "train it rewritten",
            field="layers",
        )
    if enable_gqa:
        key, value = (each.repeat_interleave(query.shape[-3] // each.shape[-3], -3) for each in (key, value))
    # Both operands are scaled, as torch's own products have it.
    half = (query.shape[-1] ** -0.5 if scale is None else scale) ** 0.5
    query, key = query * half, key * half
    if isinstance(entry, BlockAttention):
        return attend_to_blocks(module, entry, query, key, value, causal=is_causal, dropout=dropout_p)
    if isinstance(entry, SampledAttention):
        return attend_to_sampled(module, entry, query, key, value, causal=is_causal, dropout=dropout_p)
    assert isinstance(entry, LowRankAttention), "kinds that do not train were refused with the recipe"
    assert not is_causal, "causal attention was refused with the entry"
    return attend_by_features(module, entry, query, key, value)
