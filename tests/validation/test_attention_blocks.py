"""The table of docs/validation.md: products of block-sparse attention against masks laid out pair by pair."""

from pathlib import Path

import numpy as np
import pytest
from bisparse.configs.library import find
from bisparse.dataflow.lowering import lower
from bisparse.training.attention import attention_of
from bisparse.training.block_masks import BlockRule, kept_blocks
from bisparse.training.graph_file import load_graph
from bisparse.training.rewrites.attentions import exact
from bisparse.training.rewrites.block_attention import BlockAttention

DOCS = Path(__file__).parents[2] / "docs" / "validation.md"

CASES = [
    ("gpt2-small", 64, {"window": 3, "global_blocks": 1}),
    ("gpt2-small", 100, {"mask": 0.2}),
    ("gpt2-small-8k", 64, {"density": 0.1}),
    ("gpt2-small-8k", 64, {"mask": 0.1}),
    ("bert-base", 32, {"window": 2, "global_blocks": 1}),
    ("bert-base", 48, {"mask": 0.3}),
    ("vit-cifar10", 16, {"mask": 0.5}),
]


def blocks_of(fields, rows, columns, *, causal):
    """The mask of blocks by its definition; a share's are where they are laid out, a mask is drawn."""
    row, column = np.indices((rows, columns))
    if "mask" in fields:
        kept = (np.random.default_rng(1).random((rows, columns)) < fields["mask"]) | (row == column)
    elif "density" in fields:
        laid_out = kept_blocks(BlockRule(density=exact(fields["density"])), rows, columns, causal=causal)
        kept = np.array([[bits >> place & 1 for place in range(columns)] for bits in laid_out], dtype=bool)
    else:
        kept = abs(row - column) < fields["window"]
        kept |= (row < fields["global_blocks"]) | (column < fields["global_blocks"])
    return kept & (column <= row) if causal else kept


@pytest.mark.parametrize(("workload", "block", "fields"), CASES)
def test_products_are_counted_as_the_mask_has_them(workload, block, fields):
    graph = load_graph(find("workloads", workload))
    found = attention_of(graph)[0]
    queries, keys = found.square
    blocks = blocks_of(fields, -(-queries // block), -(-keys // block), causal=found.causal)
    computed = np.kron(blocks, np.ones((block, block), dtype=bool))[:queries, :keys]
    asked = np.tril(computed) if found.causal else computed
    rows = tuple("".join("01"[bit] for bit in row) for row in blocks.astype(int))
    said = {"mask": rows} if "mask" in fields else fields
    entry = BlockAttention.model_validate({"kind": "block-attention", "block": block, **said})
    products = [
        each
        for each in entry.rewrite(graph, deployed=False).graph.products
        if getattr(each.geometry, "scores", None) is not None
    ]
    batch, mapped, total = graph.default_batch, 0, 0
    for product in products:
        lowered, shape = lower(product, batch), product.geometry
        each = shape.count.at(batch) * shape.m.at(batch) * shape.n.at(batch) * shape.k.at(batch) // (queries * keys)
        issued = sum(gemm.issued_macs for gemm in lowered.gemms)
        assert issued == each * int(computed.sum())
        assert lowered.useful_macs == each * int(asked.sum())
        mapped, total = mapped + len(lowered.gemms), total + issued
    rule = ", ".join(f"{name} {value}" for name, value in fields.items())
    row = (
        f"| `{workload}` | {block} | {rule} | {len(products)} | {mapped} | {computed.mean():.2%} | "
        f"{asked.sum() / computed.sum():.2%} | {total:,} | 0 |"
    )
    assert row in DOCS.read_text(encoding="utf-8").splitlines(), row
