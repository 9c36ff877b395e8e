"""Attention rewritten by a recipe's entries: products against counts by hand, and operators against other networks."""

from __future__ import annotations

import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.dataflow.lowering import lower
from bisparse.training.graph import Stage
from bisparse.training.passes.decoding import decoding
from bisparse.training.passes.inference import forward_only
from bisparse.training.passes.recomputation import with_recomputation
from bisparse.training.rewrites.block_attention import BlockAttention
from bisparse.training.rewrites.hashed_attention import HashedAttention
from bisparse.training.rewrites.rewrite import Rewrite
from bisparse.training.rewrites.sampled_attention import SampledAttention
from bisparse.training.scores import cut_scores
from pydantic import ValidationError
from torch import nn

from .conftest import captured, counted, made, transformer

LENGTH, HEADS, WIDTH, BATCH, LAYERS = 16, 4, 8, 4, 2
EACH = BATCH * HEADS * WIDTH
ALL = LENGTH * LENGTH


class Encoder(nn.Module):
    """Two attentions that see everything."""

    def __init__(self):
        super().__init__()
        from bisparse.training.models.attention import PostNormBlock

        self.first, self.second = (PostNormBlock(HEADS * WIDTH, HEADS, dropout=0.1) for _ in range(2))

    def forward(self, x):
        return self.second(self.first(x))


def decoder():
    return captured(transformer, "16:int")


def encoder():
    return captured(Encoder, (LENGTH, HEADS * WIDTH))


def entry(kind: type[Rewrite], word: str, **fields) -> Rewrite:
    return kind.model_validate({"kind": word, **fields})


def blocks(**fields):
    return entry(BlockAttention, "block-attention", **fields)


def of_scores(graph):
    return [each for each in graph.products if getattr(each.geometry, "scores", None) is not None]


def rest(graph):
    """Products that attention is not made of."""
    return sorted(repr((each.name, each.geometry)) for each in graph.products if each.parameter is not None)


# Blocks --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "kept", "asked"),
    [
        # Rows of 4 blocks see 1, 2, 3 and 4 of them; of each half is kept, the diagonal's among them.
        ({"density": 0.5}, 6 * 16, 2 * 16 + 4 * 10),
        # The diagonal and the block before it.
        ({"window": 2}, 7 * 16, 3 * 16 + 4 * 10),
        # The diagonal and the first column.
        ({"window": 1, "global_blocks": 1}, 7 * 16, 3 * 16 + 4 * 10),
        ({"mask": ("1000", "1100", "1010", "0101")}, 7 * 16, 3 * 16 + 4 * 10),
    ],
)
def test_causal_attention_is_computed_in_kept_blocks(fields, kept, asked):
    graph = decoder()
    found = made(graph, blocks(block=4, **fields))
    products = of_scores(found)
    assert len(products) == 6 * LAYERS
    for product in products:
        lowered = lower(product, BATCH)
        assert sum(gemm.issued_macs for gemm in lowered.gemms) == product.geometry.macs(BATCH) == EACH * kept
        assert lowered.useful_macs == EACH * asked
    assert rest(graph) == rest(found)
    cut = cut_scores(found)
    for operator in cut.operators:
        if operator.module.endswith(".attention") and operator.kind in ("softmax", "softmax_backward", "dropout"):
            assert operator.elements.at(BATCH) == BATCH * HEADS * kept


def test_attention_that_sees_everything_may_keep_any_block():
    found = made(encoder(), blocks(block=4, density=0.5))
    assert {each.geometry.macs(BATCH) for each in of_scores(found)} == {EACH * 8 * 16}
    assert {each.geometry.asked_macs(BATCH) for each in of_scores(found)} == {EACH * 8 * 16}


def test_all_blocks_of_attention_that_sees_everything_are_the_network_as_it_was():
    graph = encoder()
    found = cut_scores(made(graph, blocks(block=4, density=1)))
    assert found.macs(BATCH) == graph.macs(BATCH)
    assert [each.elements for each in found.operators] == [each.elements for each in graph.operators]
    sizes = [{name: tensor.elements(BATCH) for name, tensor in of.tensors.items()} for of in (graph, found)]
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("named", [{"layers": ("first",)}, {"except_layers": ("second.*",)}])
def test_one_of_two_attentions_is_rewritten_and_the_other_computes_all(named):
    graph = encoder()
    found = cut_scores(made(graph, blocks(block=4, window=1, **named)))
    assert {each.module for each in of_scores(found)} == {"first.attention"}
    sizes = {each.module: each.elements.at(BATCH) for each in found.operators if each.kind == "softmax"}
    assert sizes == {"first.attention": BATCH * HEADS * 4 * 16, "second.attention": BATCH * HEADS * ALL}


def test_a_gate_compares_pooled_blocks_before_scores_are_made():
    graph = decoder()
    found = made(graph, blocks(block=4, density=0.5, gate={"width": 2}))
    plain = made(graph, blocks(block=4, density=0.5))
    gates = [each for each in found.operators if ".gate" in each.module]
    assert [
        each for each in found.operators if ".gate" not in each.module and not each.name.endswith("attention:FF")
    ] == [each for each in plain.operators if not each.name.endswith("attention:FF")]
    one = [each for each in gates if each.module.startswith("blocks.0.")]
    assert [each.kind for each in one] == [
        *("average_pool", "average_pool", "max_pool", "max_pool", "copy"),
        *("linear", "linear", "matmul", "softmax", "elementwise"),
    ]
    query, key, compared = (each.geometry.macs(BATCH) for each in one if each.is_product)
    # Four blocks of four: queries of width 8, keys of three times that, to two channels; then block by block.
    assert query == BATCH * HEADS * 4 * WIDTH * 2
    assert key == BATCH * HEADS * 4 * 3 * WIDTH * 2
    assert compared == BATCH * HEADS * 4 * 4 * 2
    assert all(each.stage is Stage.FORWARD for each in gates)
    order = [each.name for each in found.operators]
    assert order.index(one[-1].name) == order.index("blocks.0.attention:FF") - 1
    (scores,) = (each for each in found.operators if each.name == "blocks.0.attention:FF")
    assert scores.inputs[2:] == one[-1].outputs
    gate = [name for name in found.tensors if ".gate" in name and found.tensors[name].role == "parameter"]
    assert sum(found.tensors[name].elements(1) for name in gate) == LAYERS * 2 * (WIDTH + 3 * WIDTH)


def test_a_gate_that_learns_along_has_whole_scores_beside_and_gradients_of_its_own_that_are_not_deployed():
    graph = decoder()
    along, apart = (blocks(block=4, density=0.5, gate={"width": 2, "learns": word}) for word in ("along", "apart"))
    found, plain = made(graph, along), made(graph, apart)
    of_gate = [each for each in found.operators if each.module.startswith("blocks.0.attention.gate")]
    products = {}
    for each in of_gate:
        if each.is_product:
            products.setdefault(each.stage, []).append(each.geometry.macs(BATCH))
    compared, pooled = BATCH * HEADS * 16 * 2, BATCH * HEADS * 4 * WIDTH * 2
    assert products == {
        Stage.FORWARD: [pooled, 3 * pooled, compared, EACH * ALL],
        Stage.BACKWARD: [compared, compared],
        Stage.WEIGHT_GRADIENT: [3 * pooled, pooled],
    }
    order = [each.stage for each in of_gate]
    assert order.index(Stage.BACKWARD) > order.index(Stage.FORWARD)
    assert sum(each.stage is Stage.UPDATE for each in found.operators) == LAYERS * 2 + sum(
        each.stage is Stage.UPDATE for each in plain.operators
    )
    deployed = [made(graph, entry, deployed=True) for entry in (along, apart)]
    assert counted(deployed[0]) == counted(deployed[1]) == counted(plain)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"block": 4, "window": 1, "layers": ("blocks.7",)}, "rewrites.0.layers.0: got 'blocks.7', need the path of a"),
        (
            {"block": 4, "window": 1, "except_layers": ("blocks",)},
            "rewrites.0.except_layers: got blocks, need attention",
        ),
        ({"block": 4, "mask": ("10", "11")}, "rewrites.0.mask: got 2 rows of 2, need 4 of 4"),
        (
            {"block": 4, "mask": ("1000", "0011", "0010", "0001")},
            "rewrites.0.mask.1: got no block that its queries may see",
        ),
    ],
)
def test_an_entry_that_does_not_fit_is_refused(fields, message):
    with pytest.raises(ConfigError) as wrong:
        made(decoder(), blocks(**fields))
    assert message in str(wrong.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"block": 4},
        {"block": 4, "window": 1, "mask": ("1",)},
        {"block": 4, "mask": ("10", "1")},
        {"block": 4, "mask": ("12", "11")},
        {"block": 0, "window": 1},
    ],
)
def test_an_entry_that_says_nothing_or_two_things_is_refused(fields):
    with pytest.raises(ValidationError):
        blocks(**fields)


def test_a_network_without_attention_is_told_so():
    graph = captured(lambda: nn.Linear(4, 4), (4,))
    with pytest.raises(ConfigError, match="need attention, which net has not"):
        made(graph, blocks(block=4, window=1))


def test_a_decoded_token_sees_the_blocks_of_the_last_row():
    found = decoding(made(decoder(), blocks(block=4, window=1, global_blocks=1), deployed=True), 16)
    cut = cut_scores(found)
    # Seventeen keys: the first block of four, and the last, of one.
    for product in of_scores(cut):
        assert product.geometry.macs(BATCH) == EACH * 5
        assert sum(gemm.issued_macs for gemm in lower(product, BATCH).gemms) == EACH * 5
    softmax = [each.elements.at(BATCH) for each in cut.operators if each.kind == "softmax"]
    assert softmax == [BATCH * HEADS * 5] * LAYERS


def test_a_token_whose_scores_a_gate_chooses_is_not_decoded():
    found = made(decoder(), blocks(block=4, window=1, gate={"width": 2}), deployed=True)
    with pytest.raises(ConfigError, match="need attention whose scores are known; try blocks without a gate"):
        decoding(found, 16)


# Sampled -------------------------------------------------------------------------------------------------------------


def test_sampled_scores_take_dense_time_and_a_predictor_comes_on_top():
    graph = encoder()
    found = made(graph, entry(SampledAttention, "sampled-attention", density=0.3, predictor=2))
    products = of_scores(found)
    assert len(products) == 6 * LAYERS
    for product in products:
        lowered = lower(product, BATCH)
        assert sum(gemm.issued_macs for gemm in lowered.gemms) == EACH * ALL
        # A third of sixteen keys, rounded up.
        assert lowered.useful_macs == EACH * LENGTH * 5
    more = found.macs(BATCH) - graph.macs(BATCH)
    assert more == LAYERS * BATCH * HEADS * (2 * LENGTH * WIDTH * 2 + ALL * 2)
    whole = cut_scores(found)
    assert {each.elements.at(BATCH) for each in whole.operators if each.kind == "softmax"} == {BATCH * HEADS * ALL}


# Hashed --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("network", "inside"), [(encoder, 16), (decoder, 10)])
def test_hashed_attention_is_as_many_small_ones_as_there_are_buckets(network, inside):
    graph = network()
    found = cut_scores(made(graph, entry(HashedAttention, "hashed-attention", buckets=4)))
    products = of_scores(found)
    assert len(products) == 6 * LAYERS
    for product in products:
        (gemm,) = lower(product, BATCH).gemms
        assert sorted((gemm.m, gemm.n, gemm.k)) == [4, 4, WIDTH]
        assert gemm.count == BATCH * HEADS * 4
        assert product.geometry.asked_macs(BATCH) == EACH * 4 * inside
    hashes = [each for each in found.products if each.module.endswith(".hash")]
    # Queries and keys of a head, by two rotations, whose results of either sign are four buckets.
    assert {each.geometry.macs(BATCH) for each in hashes} == {EACH * LENGTH * 2}
    assert len(hashes) == 2 * LAYERS
    copies = [each for each in found.operators if each.module.endswith(".hash") and each.kind == "copy"]
    # Forward queries, keys and values in, and the result back; backward its gradient in, and three back.
    stages = [each.stage for each in copies if each.module.startswith(("first", "blocks.0"))]
    assert (stages.count(Stage.FORWARD), stages.count(Stage.BACKWARD)) == (4, 4)
    assert {each.elements.at(BATCH) for each in copies} == {EACH * LENGTH}
    assert rest(graph) == rest(found)


def test_gathering_leaves_nothing_in_the_old_order():
    """What attention's products read or make is read or made by copies alone, whatever stands around them."""
    found = made(encoder(), entry(HashedAttention, "hashed-attention", buckets=4))
    own = {name for each in of_scores(found) for name in (*each.inputs[:2], *each.outputs[:1])}
    for operator in found.operators:
        if operator.kind == "matmul" or operator.module.endswith(".hash"):
            continue
        touched = own.intersection((*operator.inputs, *operator.outputs))
        assert all(found.tensors[name].elements(BATCH) == BATCH * HEADS * ALL for name in touched), operator.name


def test_more_buckets_than_tokens_are_refused():
    with pytest.raises(ConfigError, match=r"^rewrites\.0\.buckets: got 17, need at most 16"):
        made(encoder(), entry(HashedAttention, "hashed-attention", buckets=17))


# All kinds -----------------------------------------------------------------------------------------------------------

KINDS = {
    "blocks": blocks(block=4, density=0.5),
    "gated": blocks(block=4, density=0.5, gate={"width": 2}),
    "sampled": entry(SampledAttention, "sampled-attention", density=0.3, predictor=2),
    "hashed": entry(HashedAttention, "hashed-attention", buckets=4),
}


@pytest.mark.parametrize("kind", KINDS)
def test_inference_is_the_forward_pass_of_training(kind):
    graph = decoder()
    one = cut_scores(forward_only(made(graph, KINDS[kind])))
    other = cut_scores(made(forward_only(graph), KINDS[kind], deployed=True))
    assert counted(one) == counted(other)


def test_what_is_computed_again_is_in_kept_blocks_too():
    found = cut_scores(with_recomputation(made(decoder(), KINDS["blocks"]), "blocks"))
    products = of_scores(found)
    assert len(products) > 6 * LAYERS
    assert {each.geometry.macs(BATCH) for each in products} == {EACH * 6 * 16}
    softmax = [each.elements.at(BATCH) for each in found.operators if each.kind == "softmax"]
    assert softmax == [BATCH * HEADS * 6 * 16] * 2 * LAYERS


@pytest.mark.parametrize("kind", KINDS)
def test_an_attention_is_rewritten_once(kind):
    with pytest.raises(ConfigError, match="need attention"):
        made(encoder(), KINDS[kind], KINDS["blocks"])


def test_bucketed_attention_is_attention_under_the_mask_of_its_buckets():
    """Gathered, multiplied bucket by bucket and put back, against torch under the mask that the hash makes."""
    generator = torch.Generator().manual_seed(2)
    query, key, value = (torch.randn(LENGTH, WIDTH, dtype=torch.float64, generator=generator) for _ in "qkv")
    of_query, of_key = (torch.randperm(LENGTH, generator=generator).argsort() % 4 for _ in range(2))
    mask = of_query[:, None] == of_key[None]
    wanted = nn.functional.scaled_dot_product_attention(query[None], key[None], value[None], attn_mask=mask)[0]
    rows, columns = of_query.argsort(stable=True), of_key.argsort(stable=True)
    gathered = [each.unflatten(0, (4, 4)) for each in (query[rows], key[columns], value[columns])]
    mixed = nn.functional.scaled_dot_product_attention(*gathered).flatten(0, 1)
    torch.testing.assert_close(mixed[rows.argsort()], wanted)
