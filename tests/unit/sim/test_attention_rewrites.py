"""Steps whose recipe computes some scores of attention: both engines, every pass, reasons, and what is said."""

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.pattern import DENSE
from bisparse.reports.run.terminal import text_summary
from bisparse.sim.options import Options
from bisparse.sim.simulation import Simulator, Workload
from bisparse.training.capture import capture
from bisparse.training.recipes.declaration import load_recipe
from torch import nn
from torch.nn import functional

BATCH, HEADS, WIDTH, LENGTH, BLOCK = 2, 2, 16, 48, 16
EACH = BATCH * HEADS * WIDTH

ENTRIES = {
    "blocks": "{kind: block-attention, block: 16, density: 0.5}",
    "gated": "{kind: block-attention, block: 16, density: 0.5, gate: {width: 8}}",
    "sampled": "{kind: sampled-attention, density: 0.25, predictor: 8}",
    "hashed": "{kind: hashed-attention, buckets: 3}",
}

LOW_RANK = {
    "features": "{kind: low-rank-attention, features: 8}",
    "corrected": "{kind: low-rank-attention, features: 8, buckets: 3}",
}


class Causal(nn.Module):
    def __init__(self, is_causal=True):
        super().__init__()
        self.is_causal = is_causal
        self.project, self.out = nn.Linear(WIDTH * HEADS, 3 * WIDTH * HEADS), nn.Linear(WIDTH * HEADS, 8)

    def forward(self, x):
        heads = self.project(x).unflatten(-1, (3, HEADS, WIDTH)).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*heads.unbind(0), dropout_p=0.1, is_causal=self.is_causal)
        return self.out(mixed.transpose(1, 2).flatten(2))


@pytest.fixture(scope="module")
def workload():
    graph = capture(Causal(), (LENGTH, WIDTH * HEADS), name="causal", default_batch=BATCH, source="test")
    return Workload(graph=graph, sha256="attention rewritten")


@pytest.fixture(scope="module")
def seeing_all():
    graph = capture(Causal(False), (LENGTH, WIDTH * HEADS), name="all", default_batch=BATCH, source="test")
    return Workload(graph=graph, sha256="attention that sees everything")


def recipe(folder, kind):
    path = folder / f"{kind}.yaml"
    path.write_text(
        f"name: {kind}\ntitle: Some attention\nsource: a test\nrewrites:\n  - {(ENTRIES | LOW_RANK)[kind]}\n"
    )
    return load_recipe(str(path))


def result(workload, of, **options):
    simulator = Simulator(
        workload=workload, hardware=load_hardware("sat-vcu1525"), options=Options(**options), version="test"
    )
    return simulator.run(of, DENSE)


@pytest.mark.parametrize("kind", ENTRIES)
@pytest.mark.parametrize("pass_", ["training", "inference"])
def test_the_engines_agree(workload, tmp_path, kind, pass_):
    asked = {"keep_on_chip": True, "pass_": pass_}
    of = recipe(tmp_path, kind)
    closed, played = (result(workload, of, engine=engine, **asked) for engine in ("analytic", "event"))
    assert played.total_cycles == pytest.approx(closed.total_cycles, rel=0.02)
    for name in ("dram_read_bytes", "dram_write_bytes", "useful_macs", "issued_macs"):
        assert getattr(closed, name) == getattr(played, name)


@pytest.mark.parametrize("kind", LOW_RANK)
def test_they_agree_where_no_scores_are_left(seeing_all, tmp_path, kind):
    of = recipe(tmp_path, kind)
    closed, played = (result(seeing_all, of, engine=engine) for engine in ("analytic", "event"))
    assert played.total_cycles == pytest.approx(closed.total_cycles, rel=0.02)
    assert (closed.useful_macs, closed.dram_read_bytes) == (played.useful_macs, played.dram_read_bytes)
    assert not {"softmax", "softmax_backward", "dropout"} & {row.kind for row in closed.rows}


def test_what_blocks_leave_out_is_neither_multiplied_nor_moved(workload, tmp_path):
    # Rows of three blocks see 1, 2 and 3 of them, of which half, rounded up, are 1, 1 and 2.
    kept, asked = 4 * BLOCK**2, 3 * BLOCK * (BLOCK + 1) // 2 + BLOCK**2
    whole, blocks = result(workload, load_recipe("dense")), result(workload, recipe(tmp_path, "blocks"))
    assert whole.issued_macs - blocks.issued_macs == 6 * EACH * (LENGTH**2 - kept)
    assert whole.useful_macs - blocks.useful_macs == 6 * EACH * (LENGTH**2 - asked)
    assert blocks.flop_bound_speedup == whole.useful_macs / blocks.useful_macs
    softmax = [next(row for row in of.rows if row.kind == "softmax") for of in (whole, blocks)]
    assert softmax[0].dram_read_bytes * kept == softmax[1].dram_read_bytes * LENGTH**2
    assert blocks.memory.peak_bytes < whole.memory.peak_bytes


def test_sampled_scores_gain_nothing_and_every_operator_says_why(workload, tmp_path):
    whole, sampled = result(workload, load_recipe("dense")), result(workload, recipe(tmp_path, "sampled"))
    named = [row for row in sampled.rows if "skips no single results" in row.dense_reason]
    assert len(named) == 6
    by_name = {row.name: row for row in whole.rows}
    assert all(row.issued_macs == by_name[row.name].issued_macs for row in named)
    assert all(row.useful_macs < by_name[row.name].useful_macs for row in named)
    assert sampled.total_cycles > whole.total_cycles
    assert "skips no single results" in " ".join(text_summary([sampled]).split())


def test_a_pattern_stays_through_micro_batches(workload, tmp_path):
    of = recipe(tmp_path, "blocks")
    plain, cut = result(workload, of), result(workload, of, accumulate=2)
    assert cut.useful_macs == plain.useful_macs
    assert cut.issued_macs == plain.issued_macs


def test_causal_blocks_leave_patterned_attention_alone(workload, tmp_path):
    of = recipe(tmp_path, "blocks")
    plain, both = result(workload, of), result(workload, of, causal_blocks=8)
    assert both.issued_macs == plain.issued_macs
    assert any("a recipe says which scores are computed" in note for note in both.notes)
