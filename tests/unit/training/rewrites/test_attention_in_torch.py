"""Attention rewritten in torch: forward and backward against plain numpy, and what learns along."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.training.rewrites.block_attention import BlockAttention
from bisparse.training.rewrites.in_torch.attending import rewrite_attention
from bisparse.training.rewrites.low_rank_attention import LowRankAttention
from bisparse.training.rewrites.sampled_attention import SampledAttention
from torch import nn
from torch.nn import functional

HEADS, TOKENS, WIDTH, DEPTH = 2, 7, 3, 2


def blocks(**fields):
    return BlockAttention.model_validate({"kind": "block-attention", "block": 2, **fields})


def sampled(**fields):
    return SampledAttention.model_validate({"kind": "sampled-attention", "predictor": 2, "learns": "along", **fields})


def low_rank(**fields):
    return LowRankAttention.model_validate({"kind": "low-rank-attention", "features": 5, **fields})


GATED = blocks(density=0.5, gate={"width": 2, "learns": "along"})


class Plain(nn.Module):
    """Attention of three operands as they are."""

    def __init__(self, causal=False):
        super().__init__()
        self.causal = causal

    def forward(self, query, key, value):
        return functional.scaled_dot_product_attention(query, key, value, is_causal=self.causal)


def attention(entry, *, causal=False, keys=TOKENS):
    torch.manual_seed(0)
    module = Plain(causal)
    rewrite_attention(module, "here", entry, width=WIDTH, keys=keys)
    return module.double()


def operands(tokens=TOKENS, seed=0):
    drawn = np.random.default_rng(seed)
    return [drawn.standard_normal((HEADS, tokens, width)) for width in (WIDTH, WIDTH, DEPTH)]


def both_ways(module, arrays, upstream):
    """What a module makes of arrays, and the gradients of these."""
    given = [torch.tensor(each, requires_grad=True) for each in arrays]
    made = module(*given)
    made.backward(torch.tensor(upstream))
    return made.detach().numpy(), [each.grad.numpy() for each in given]


def differences(function, arrays, upstream):
    """Gradients of a numpy function of arrays by central differences."""
    found = []
    for number, array in enumerate(arrays):
        gradient = np.zeros_like(array)
        for at in np.ndindex(array.shape):
            ends = []
            for step in (1e-6, -1e-6):
                moved = [each.copy() for each in arrays]
                moved[number][at] += step
                ends.append((function(*moved) * upstream).sum())
            gradient[at] = (ends[0] - ends[1]) / 2e-6
        found.append(gradient)
    return found


def agree(module, function, arrays):
    """Both ways; the numpy function is differentiated as it stands."""
    upstream = np.random.default_rng(9).standard_normal(function(*arrays).shape)
    made, gradients = both_ways(module, arrays, upstream)
    np.testing.assert_allclose(made, function(*arrays), rtol=1e-9, atol=1e-12)
    for own, wanted in zip(gradients, differences(function, arrays, upstream), strict=True):
        np.testing.assert_allclose(own, wanted, rtol=1e-5, atol=1e-7)


# In plain numpy ------------------------------------------------------------------------------------------------------


def softmax(scores):
    raised = np.exp(scores - scores.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


def masked(pairs):
    """Attention of the pairs of a mask [heads, Q, K], pair by pair."""

    def of(query, key, value):
        made = np.zeros((*query.shape[:2], value.shape[-1]))
        for head, row in np.ndindex(query.shape[:2]):
            seen = [at for at in range(key.shape[1]) if pairs[head, row, at]]
            likely = softmax(np.array([query[head, row] @ key[head, at] for at in seen]) / math.sqrt(WIDTH))
            made[head, row] = sum(share * value[head, at] for share, at in zip(likely, seen, strict=True))
        return made

    return of


def pooled(operand, functions):
    """Of each two rows what functions make of them, side by side."""
    return np.array(
        [np.concatenate([of(operand[at : at + 2], axis=0) for of in functions]) for at in range(0, len(operand), 2)]
    )


def gate_of(module, query, key, head):
    """What the gate of a module makes of blocks [rows, columns], in plain loops over a head."""
    scaled = [each[head] * WIDTH**-0.25 for each in (query, key)]
    weights = [getattr(module.gate, name).weight.detach().numpy() for name in ("query", "key")]
    rows = pooled(scaled[0], (np.mean,)) @ weights[0].T
    columns = pooled(scaled[1], (np.mean, np.max, np.min)) @ weights[1].T
    return rows @ columns.T


def best(worth, may, count):
    """The places of the largest, the first of equals, of those that may be."""
    order = sorted((at for at in range(len(worth)) if may[at]), key=lambda at: (-worth[at], at))
    return set(order[:count])


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    "fields", [{"window": 1}, {"window": 1, "global_blocks": 1}, {"mask": ("1100", "1100", "0110", "1011")}]
)
def test_blocks_that_a_rule_keeps_are_attended_to_and_no_other(fields, causal):
    def kept(row, column):
        if "mask" in fields:
            return fields["mask"][row][column] == "1"
        return row == column or bool(fields.get("global_blocks") and 0 in (row, column))

    pairs = np.array([[kept(q // 2, k // 2) and (k <= q or not causal) for k in range(TOKENS)] for q in range(TOKENS)])
    agree(attention(blocks(**fields), causal=causal), masked(np.stack([pairs] * HEADS)), operands())


@pytest.mark.parametrize("causal", [False, True])
def test_a_gate_keeps_the_blocks_that_it_makes_most_of(causal):
    module, (query, key, value) = attention(GATED, causal=causal), operands()
    pairs = np.zeros((HEADS, TOKENS, TOKENS), dtype=bool)
    for head in range(HEADS):
        compared = gate_of(module, query, key, head)
        for row in range(4):
            may = [column <= row or not causal for column in range(4)]
            kept = best(compared[row], may, math.ceil(sum(may) / 2))
            for q, k in np.ndindex(TOKENS, TOKENS):
                if q // 2 == row and k // 2 in kept and (k <= q or not causal):
                    pairs[head, q, k] = True
    # A query may see of a kept block nothing before its own place, and of the others nothing at all.
    assert pairs.any(-1).all()
    agree(module, masked(pairs), [query, key, value])


def test_window_and_first_blocks_count_towards_the_share_that_a_gate_chooses():
    entry = blocks(density=0.5, window=1, global_blocks=1, gate={"width": 2, "learns": "along"})
    module = attention(entry)
    query, key, value = (torch.tensor(each) for each in operands(tokens=8))
    alone = torch.eye(8, dtype=torch.float64).expand(HEADS, 8, 8)
    weights = module(query, key, alone)
    of_blocks = weights.unflatten(-1, (4, 2)).unflatten(-3, (4, 2)).sum((-3, -1)) > 0
    assert of_blocks[:, 0].all()
    assert of_blocks[:, :, 0].all()
    assert of_blocks.diagonal(dim1=-2, dim2=-1).all()
    assert (of_blocks[:, 1:].sum(-1) == 2).all()
    assert module(query, key, value).shape == (HEADS, 8, DEPTH)


def test_a_gate_learns_the_largest_of_each_block_of_whole_attention_and_tells_the_network_nothing():
    module, (query, key, value) = attention(GATED, causal=True), operands()
    made = module(*(torch.tensor(each, requires_grad=at == 2) for at, each in enumerate((query, key, value))))
    made.sum().backward()
    weight = module.gate.query.weight
    wanted = np.zeros(tuple(weight.shape))
    for head in range(HEADS):
        scores = query[head] @ key[head].T / math.sqrt(WIDTH)
        whole = softmax(np.where(np.tri(TOKENS, dtype=bool), scores, -np.inf))
        largest = np.array([[whole[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max() for j in range(4)] for i in range(4)])
        taught = largest / largest.sum(-1, keepdims=True)
        compared = np.where(np.tri(4, dtype=bool), gate_of(module, query, key, head), -np.inf)
        error = (softmax(compared) - taught) / (4 * HEADS)
        rows = pooled(query[head] * WIDTH**-0.25, (np.mean,))
        columns = (
            pooled(key[head] * WIDTH**-0.25, (np.mean, np.max, np.min)) @ module.gate.key.weight.detach().numpy().T
        )
        wanted += (error @ columns).T @ rows
    np.testing.assert_allclose(weight.grad.numpy(), wanted, rtol=1e-9, atol=1e-12)
    # The network's own gradients are those of an evaluation, in which no gate learns.
    given = [torch.tensor(each, requires_grad=True) for each in (query, key, value)]
    both = [torch.autograd.grad(of(*given).square().sum(), given) for of in (module, copy.deepcopy(module).eval())]
    assert all(torch.equal(one, other) for one, other in zip(*both, strict=True))


def test_of_a_network_that_is_frozen_the_gate_alone_learns():
    module = attention(GATED)
    module(*(torch.tensor(each) for each in operands())).sum().backward()
    assert all(each.grad is not None and each.grad.any() for each in module.gate.parameters())
    assert not module.eval()(*(torch.tensor(each) for each in operands())).requires_grad


@pytest.mark.parametrize("causal", [False, True])
def test_each_query_attends_to_the_keys_that_its_predictor_makes_most_of(causal):
    module, (query, key, value) = attention(sampled(density=0.3), causal=causal), operands()
    of_query, of_key = (getattr(module.predictor, name).weight.detach().numpy() for name in ("query", "key"))
    pairs = np.zeros((HEADS, TOKENS, TOKENS), dtype=bool)
    for head, q in np.ndindex(HEADS, TOKENS):
        compared = [(of_query @ query[head, q]) @ (of_key @ each) for each in key[head]]
        may = [k <= q or not causal for k in range(TOKENS)]
        pairs[head, q, list(best(compared, may, math.ceil(0.3 * sum(may))))] = True
    agree(module, masked(pairs), [query, key, value])


def test_a_predictor_over_tokens_mixes_keys_and_brings_shares_of_the_mixtures_back():
    module, (query, key, value) = attention(sampled(density=0.3, across="tokens")), operands()
    down, up = (getattr(module.predictor, name).weight.detach().numpy() for name in ("down", "up"))
    pairs = np.zeros((HEADS, TOKENS, TOKENS), dtype=bool)
    for head, q in np.ndindex(HEADS, TOKENS):
        mixtures = [sum(share * each for share, each in zip(row, key[head], strict=True)) for row in down]
        shares = softmax(np.array([query[head, q] @ each for each in mixtures]) / math.sqrt(WIDTH))
        pairs[head, q, list(best(up @ shares, [True] * TOKENS, math.ceil(0.3 * TOKENS)))] = True
    agree(module, masked(pairs), [query, key, value])
    with pytest.raises(ConfigError, match="across: got 6 keys, need 7"):
        module(*(torch.tensor(each) for each in operands(tokens=6)))


@pytest.mark.parametrize("across", ["channels", "tokens"])
def test_a_predictor_learns_to_find_the_keys_that_matter(across):
    """A quarter of twelve, of which chance finds a quarter."""
    module = attention(sampled(density=0.25, predictor=4, across=across), keys=12)
    query, key, value = (
        torch.tensor(each) * (3.0, 3.0, 1.0)[at] for at, each in enumerate(operands(tokens=12, seed=3))
    )
    value.requires_grad_()
    wanted = (query @ key.transpose(-2, -1)).topk(3, -1).indices
    optimizer = torch.optim.Adam(module.parameters(), lr=0.05)

    def found():
        eyes = torch.eye(12, dtype=torch.float64).expand(HEADS, 12, 12)
        return float((module.eval()(query, key, eyes).gather(-1, wanted) > 0).double().mean())

    before = found()
    for _ in range(150):
        optimizer.zero_grad()
        module.train()(query, key, value).sum().backward()
        optimizer.step()
    assert found() > max(0.5, before + 0.2)


def features(x, drawn):
    return np.array([[math.exp(row @ column - row @ row / 2) for column in drawn.T] for row in x])


def test_attention_by_features_is_the_quotient_of_their_sums():
    module = attention(low_rank())
    drawn = module.features.numpy()

    def of(query, key, value):
        made = np.zeros((HEADS, TOKENS, DEPTH))
        for head in range(HEADS):
            phi_q, phi_k = (features(each[head] * WIDTH**-0.25, drawn) for each in (query, key))
            for q in range(TOKENS):
                shares = [phi_q[q] @ phi_k[k] for k in range(TOKENS)]
                made[head, q] = sum(share * value[head, k] for k, share in enumerate(shares)) / sum(shares)
        return made

    agree(module, of, operands())


def test_scatterbrain_takes_the_pairs_of_a_bucket_as_they_are_and_features_for_the_rest():
    module = attention(low_rank(buckets=3))
    drawn, rotations = module.features.numpy(), module.hash.rotations.numpy()
    arrays = operands(tokens=6)

    def buckets(x):
        """Places in the order of their buckets, cut into three chunks of one size."""
        either = [max(range(3), key=lambda at, row=row: [*(row @ rotations), *-(row @ rotations)][at]) for row in x]
        order = sorted(range(6), key=lambda at: either[at])
        return {place: number // 2 for number, place in enumerate(order)}

    def of(query, key, value):
        made = np.zeros((HEADS, 6, DEPTH))
        for head in range(HEADS):
            scaled = [each[head] * WIDTH**-0.25 for each in (query, key)]
            phi_q, phi_k = (features(each, drawn) for each in scaled)
            of_q, of_k = map(buckets, scaled)
            for q in range(6):
                shares = [
                    math.exp(scaled[0][q] @ scaled[1][k]) if of_q[q] == of_k[k] else phi_q[q] @ phi_k[k]
                    for k in range(6)
                ]
                made[head, q] = sum(share * value[head, k] for k, share in enumerate(shares)) / sum(shares)
        return made

    agree(module, of, arrays)


# What is refused -----------------------------------------------------------------------------------------------------


def test_attention_that_cannot_be_rewritten_is_refused_by_name():
    class Own(nn.Module):
        def forward(self, query, key, value):
            return (query @ key.transpose(-2, -1)).softmax(-1) @ value

    class Masked(nn.Module):
        def forward(self, query, key, value):
            return functional.scaled_dot_product_attention(
                query, key, value, attn_mask=torch.ones(7, 7, dtype=torch.bool)
            )

    plain = functional.scaled_dot_product_attention
    given = [torch.tensor(each).float() for each in operands()]
    for kind, told in ((Own, "got here, which multiplies its scores itself"), (Masked, "a mask that is a tensor")):
        module = kind()
        rewrite_attention(module, "here", blocks(window=1), width=WIDTH, keys=TOKENS)
        with pytest.raises(ConfigError, match=told):
            module(*given)
        assert functional.scaled_dot_product_attention is plain
    module = Plain()
    module.gate = nn.Linear(1, 1)
    with pytest.raises(ConfigError, match="got here, which has a gate of its own"):
        rewrite_attention(module, "here", GATED, width=WIDTH, keys=TOKENS)
    module = attention(blocks(window=1))
    with pytest.raises(ConfigError, match="got here in two entries"):
        rewrite_attention(module, "here", blocks(window=1), width=WIDTH, keys=TOKENS)


@pytest.mark.parametrize(
    ("entry", "trains"),
    [
        (blocks(window=1), True), (blocks(density=0.5), False), (GATED, True),
        (blocks(density=0.5, gate={"width": 2}), False), (sampled(density=0.5), True),
        (sampled(density=0.5, learns="apart"), False), (low_rank(), True),
    ],
)  # fmt: skip
def test_what_trains_is_what_says_which_scores_or_learns_to(entry, trains):
    assert entry.trains == trains
