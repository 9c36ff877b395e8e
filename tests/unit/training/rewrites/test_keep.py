"""Keep ratios: whatever is coupled follows, so that a graph equals the capture of a module built narrower by hand."""

from __future__ import annotations

import functools

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.training.models.mobilenet_v2 import mobilenet_v2
from bisparse.training.models.resnet import resnet18_tinyimagenet, resnet50
from bisparse.training.rewrites.apply import rewritten
from bisparse.training.rewrites.keep import Keep
from bisparse.training.rewrites.low_rank import LowRank
from pydantic import ValidationError
from torch import nn

from .by_hand import Bert, Concatenated, Gpt, LanguageModel, Upsampled, Vit, scaled
from .conftest import captured, counted, made

TOKENS, IMAGE = "24:int", (3, 20, 20)
TWO_BLOCKS = {"heads": (8, 8), "neurons": (384, 384)}
TRAINED = {"training": {}, "inference": {"inference": True}}

whole = functools.cache(captured)
"""The graph of a network before anything is kept of it."""


def kept(graph, **asked):
    return made(graph, Keep(kind="keep", **asked))


def outcome(graph, **asked):
    (change,) = rewritten(graph, [Keep(kind="keep", **asked)], deployed=False).changes
    return change.outcome


def assert_same(graph, by_hand):
    """Every operator of every stage and every tensor, by name, order and size; and what torch's counter counts."""
    assert graph.operators == by_hand.operators
    assert graph.tensors == by_hand.tensors
    for batch in (4, 9):
        assert graph.macs(batch) == sum(size.at(batch) for size in by_hand.counted_macs.values())


@pytest.mark.parametrize(
    ("make", "ratio"), [(resnet18_tinyimagenet, 0.75), (resnet18_tinyimagenet, 2), (mobilenet_v2, 0.5)]
)
def test_a_network_of_convolutions_with_other_channels_is_the_one_built_so(make, ratio):
    by_hand = captured(lambda: scaled(make(), ratio), (3, 64, 64))
    assert_same(kept(whole(make, (3, 64, 64)), channels=ratio), by_hand)


CASES = {
    "heads": {"heads": 0.5},
    "neurons": {"neurons": 0.75},
    "width": {"channels": 0.5},
    "blocks": {"layers": 0.6},
    "by layer": {"heads": {"blocks.0": 1.5, "blocks.1": 0.25}, "neurons": {"*.1.feed_forward.0": 2}},
    "all at once": {"heads": 0.5, "neurons": 0.5, "channels": 1.5, "layers": 0.34},
}
BY_HAND = {
    "heads": {"heads": (4, 4, 4)},
    "neurons": {"neurons": (288, 288, 288)},
    "width": {"width": 48},
    "blocks": TWO_BLOCKS,
    "by layer": {"heads": (12, 2, 8), "neurons": (384, 768, 384)},
    "all at once": {"width": 144, "heads": (4,), "neurons": (192,)},
}


TRANSFORMERS = {Gpt: TOKENS, Bert: TOKENS, Vit: IMAGE}
IN_TURN = [(make, case, "training") for make in TRANSFORMERS for case in CASES] + [
    (list(TRANSFORMERS)[number % 3], case, "inference") for number, case in enumerate(CASES)
]
"""Every case on every network in training, and in inference on one of them in turn: the same operators, but fewer."""


@pytest.mark.parametrize(("make", "case", "run"), IN_TURN)
def test_a_transformer_with_other_widths_is_the_one_built_so(make, case, run):
    shape, asked = TRANSFORMERS[make], TRAINED[run]
    by_hand = captured(lambda: make(**BY_HAND[case]), shape, **asked)
    assert_same(kept(whole(make, shape, **asked), **CASES[case]), by_hand)


@pytest.mark.parametrize("asked", TRAINED.values(), ids=TRAINED)
@pytest.mark.parametrize(
    ("keep", "by_hand"),
    [
        # Three groups of four heads: keys and values go with all heads that share them.
        ({"heads": 0.67}, {"groups": 2}),
        ({"heads": 2}, {"groups": 6}),
        ({"neurons": 0.25}, {"neurons": 88}),
        ({"neurons": 0.3, "multiple_of": 32}, {"neurons": 96}),
        ({"channels": 1.5}, {"width": 144}),
        ({"layers": 0.3}, {"depth": 1}),
    ],
    ids=str,
)
def test_a_language_model_with_shared_keys_and_gates_is_the_one_built_so(keep, by_hand, asked):
    graph = whole(LanguageModel, TOKENS, **asked)
    assert_same(kept(graph, **keep), captured(lambda: LanguageModel(**by_hand), TOKENS, **asked))


@pytest.mark.parametrize("asked", TRAINED.values(), ids=TRAINED)
@pytest.mark.parametrize(
    ("make", "keep", "by_hand"),
    [
        (Concatenated, {"channels": 0.5}, {"stem": 12, "growth": (6, 8), "squeezed": 3, "grouped": 16}),
        (Concatenated, {"channels": {"second": 0.5}}, {"growth": (12, 8)}),
        # Eight groups of four channels: of 32 in groups the nearest to 0.3 is one channel a group.
        (Concatenated, {"channels": {"stem": 1.5, "mix": 0.3, "grouped": 0.3}}, {"stem": 36, "grouped": 8}),
        (Upsampled, {"channels": 0.5}, {"outer": 6, "inner": 10}),
        (Upsampled, {"channels": {"up": 2}}, {"upper": 24}),
    ],
    ids=str,
)
def test_concatenations_groups_and_gates_follow_their_parts(make, keep, by_hand, asked):
    graph = whole(make, IMAGE, **asked)
    assert_same(kept(graph, **keep), captured(lambda: make(**by_hand), IMAGE, **asked))


def test_residual_blocks_of_a_network_of_convolutions_go_whole():
    module = resnet50()
    del module.layer1[2], module.layer2[2:], module.layer3[3:], module.layer4[2]
    graph = captured(resnet50, (3, 64, 64))
    assert_same(kept(graph, layers=0.5), captured(lambda: module, (3, 64, 64)))


def test_all_of_everything_is_the_network_itself():
    graph = whole(Gpt, TOKENS)
    same = kept(graph, heads=1, neurons=1, channels=1, layers=1)
    assert (same.operators, same.tensors) == (graph.operators, graph.tensors)


def test_what_was_rounded_and_what_is_coupled_is_said():
    made_of = outcome(whole(Bert, TOKENS), heads=0.7, neurons=0.3, multiple_of=64)
    assert made_of.says == ("Heads: 8 to 6 (3 times).", "Neurons: 384 to 128 (3 times).")
    assert made_of.layers[:2] == ("blocks.0.attention.packed", "blocks.1.attention.packed")
    assert made_of.left == {"pooler": "it lies in no branch of a residual stream; a pattern that names it reaches it"}
    named = outcome(whole(Bert, TOKENS), neurons={"pooler": 0.5})
    assert_same(named.graph, captured(lambda: Bert(pooled=48), TOKENS))


def test_neurons_beside_a_stream_whose_width_nothing_tells_apart_change_without_being_named():
    """As wide as there are tokens: which of the two a normalisation counts is not known."""
    graph = captured(lambda: Gpt(width=24, size=5), TOKENS)
    made_of = outcome(graph, neurons=0.5)
    assert made_of.says == ("Neurons: 384 to 192 (3 times).",)
    with pytest.raises(ConfigError, match="sees it in a shape from which it cannot be told"):
        kept(graph, channels={"blocks.0.feed_forward.2": 0.5})


def test_a_ratio_that_would_keep_nothing_keeps_one():
    graph = captured(lambda: nn.Sequential(nn.Linear(12, 7), nn.ReLU(), nn.Linear(7, 5)), (12,))
    by_hand = captured(lambda: nn.Sequential(nn.Linear(12, 1), nn.ReLU(), nn.Linear(1, 5)), (12,))
    assert_same(kept(graph, neurons=0.01), by_hand)


def test_an_entry_can_be_a_key_of_what_was_made_by_it():
    first, other = {"blocks.0": 0.5, "*": 0.25}, {"*": 0.25, "blocks.0": 0.5}
    assert hash(Keep(kind="keep", heads=first)) == hash(Keep(kind="keep", heads=dict(first)))
    assert hash(Keep(kind="keep", heads=first)) != hash(Keep(kind="keep", heads=other))


def test_coupled_layers_take_one_ratio():
    with pytest.raises(ConfigError, match=r"got 0.5 for conv1 and 0.25 for layer1.0.conv2, need one ratio: they are"):
        outcome(whole(resnet18_tinyimagenet, (3, 64, 64)), channels={"conv1": 0.5, "layer1.0.conv2": 0.25})


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"heads": 0.5}, "rewrites.0.heads: got 0.5, need a network with heads that can change"),
        (
            {"channels": {"layer9": 0.5}},
            "rewrites.0.channels: got 'layer9', need the path of a layer that makes",
        ),
        ({"neurons": {"fc": 0.5}}, "fc: the loss is computed of it"),
        ({"layers": {"layer7": 0.5}}, "rewrites.0.layers: got 'layer7', need the path of a residual block"),
    ],
)
def test_what_a_network_has_not_is_refused(asked, message):
    with pytest.raises(ConfigError) as refused:
        outcome(whole(resnet18_tinyimagenet, (3, 64, 64)), **asked)
    assert message in str(refused.value)


def test_what_sizes_do_not_tell_apart_is_refused():
    """Channels that are turned into space and back, both 16: a copy [B, 16, 16] may be either."""

    class Mixer(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.mix, self.head = nn.Linear(5, 16), nn.Linear(16, 16), nn.Linear(16, 3)

        def forward(self, x):
            turned = self.mix(self.embed(x).transpose(1, 2).contiguous())
            return self.head(turned.transpose(1, 2).contiguous().mean(1))

    with pytest.raises(ConfigError, match=r"embed: model:copy sees it in a shape from which it cannot be told"):
        outcome(captured(Mixer, (16, 5)), neurons={"embed": 0.5})


def test_as_many_heads_as_a_head_is_large_are_not_told_apart_and_all_else_is():
    graph = captured(lambda: Gpt(heads=(8,), size=8, neurons=(384,)), TOKENS)
    with pytest.raises(ConfigError, match=r"blocks.0.attention.packed: \S+ sees it in a shape from which it cannot"):
        outcome(graph, heads=0.5)
    by_hand = captured(lambda: Gpt(width=48, heads=(8,), size=8, neurons=(96,)), TOKENS)
    assert_same(kept(graph, neurons=0.25, channels=0.5), by_hand)


@pytest.mark.parametrize("fields", [{}, {"heads": 0}, {"heads": {}}, {"layers": 1.5}, {"channels": 65}, {"depth": 0.5}])
def test_fields_that_say_nothing_are_refused(fields):
    with pytest.raises(ValidationError):
        Keep(kind="keep", **fields)


def test_it_is_made_of_what_another_entry_left():
    """Two factors in the place of a layer, whose channels between are neurons as others are."""

    def by_hand():
        module = Gpt(width=96, heads=(4,), neurons=(96,))
        block = module.blocks[0]
        block.feed_forward[0] = nn.Sequential(nn.Linear(96, 8, bias=False), nn.Linear(8, 96))
        return module

    graph = captured(lambda: Gpt(heads=(8,), neurons=(384,)), TOKENS)
    halves = {"*.feed_forward.0.reduce": 0.5, "*.feed_forward.0": 0.25}
    entries = [
        LowRank(kind="low-rank", rank=16, layers=("blocks.0.feed_forward.0",)),
        Keep(kind="keep", heads=0.5, neurons=halves),
    ]
    assert counted(made(graph, *entries)) == counted(captured(by_hand, TOKENS))
    same = made(graph, entries[0], Keep(kind="keep", neurons=1, channels=0.5))
    assert same.tensors["blocks.0.feed_forward.0.reduce.weight"].elements(1) == 16 * 48
