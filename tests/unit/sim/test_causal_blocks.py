"""A step with causal attention in blocks: both engines, what stays on chip, memory, schedules, and what is said."""

from dataclasses import replace

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import ConfigError
from bisparse.configs.pattern import DENSE
from bisparse.sim.options import Options
from bisparse.sim.schedule_file import load_schedule, save_schedule
from bisparse.sim.simulation import DENSE_RECIPE, Simulator, Workload
from bisparse.training.capture import capture
from bisparse.training.recipes.declaration import load_recipe
from torch import nn
from torch.nn import functional

BATCH, HEADS, WIDTH, LENGTH, BLOCK = 2, 2, 16, 50, 16
KEPT = 16 * 16 + 16 * 32 + 16 * 48 + 2 * 50
"""Scores of a head by hand: three rows of blocks of 16 queries, and one of two."""

DENSE_TRAINING = load_recipe("dense")


class Causal(nn.Module):
    def __init__(self):
        super().__init__()
        self.project, self.out = nn.Linear(WIDTH * HEADS, 3 * WIDTH * HEADS), nn.Linear(WIDTH * HEADS, 8)

    def forward(self, x):
        heads = self.project(x).unflatten(-1, (3, HEADS, WIDTH)).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*heads.unbind(0), dropout_p=0.1, is_causal=True)
        return self.out(mixed.transpose(1, 2).flatten(2))


@pytest.fixture(scope="module")
def workload():
    graph = capture(Causal(), (LENGTH, WIDTH * HEADS), name="causal", default_batch=BATCH, source="test")
    return Workload(graph=graph, sha256="causal attention")


def simulator(workload, **options):
    return Simulator(
        workload=workload, hardware=load_hardware("sat-vcu1525"), options=Options(**options), version="test"
    )


def result(workload, **options):
    return simulator(workload, **options).run(DENSE_TRAINING, DENSE)


def test_multiply_accumulates_of_both_engines_are_those_of_the_blocks(workload):
    whole = result(workload)
    for engine in ("analytic", "event"):
        blocks = result(workload, causal_blocks=BLOCK, engine=engine)
        each = 6 * BATCH * HEADS * WIDTH
        assert whole.issued_macs - blocks.issued_macs == each * (LENGTH**2 - KEPT)
        assert whole.useful_macs - blocks.useful_macs == each * (LENGTH**2 - LENGTH * (LENGTH + 1) // 2)
        assert blocks.flop_bound_speedup == 1


@pytest.mark.parametrize("keep_on_chip", [False, True])
@pytest.mark.parametrize("pass_", ["training", "inference"])
def test_the_engines_agree(workload, keep_on_chip, pass_):
    asked = {"causal_blocks": BLOCK, "keep_on_chip": keep_on_chip, "pass_": pass_}
    closed, played = (result(workload, engine=engine, **asked) for engine in ("analytic", "event"))
    assert played.total_cycles == pytest.approx(closed.total_cycles, rel=0.01)
    for name in ("dram_read_bytes", "dram_write_bytes", "useful_macs", "issued_macs"):
        assert getattr(closed, name) == getattr(played, name)
    assert closed.on_chip == played.on_chip


def test_vector_work_on_scores_moves_what_is_kept(workload):
    """Softmax and dropout read and write two bytes a score, a mask one: fused or not, what differs is the scores."""
    rows = [{row.name: row for row in result(workload, causal_blocks=block).rows} for block in (0, BLOCK)]
    name = next(name for name, row in rows[0].items() if row.kind == "softmax")
    whole, kept = (each[name].dram_read_bytes for each in rows)
    assert whole * KEPT == kept * LENGTH**2


def test_memory_holds_the_scores_that_are_kept(workload):
    """The stash: probabilities, what dropout makes of them, and its mask."""
    graphs = [workload.graph_of(Options(causal_blocks=block)) for block in (0, BLOCK)]
    stashes = [{tensor.name: tensor.elements(BATCH) for tensor in graph.saved_activations()} for graph in graphs]
    of_scores = [name for name, elements in stashes[0].items() if elements == BATCH * HEADS * LENGTH**2]
    assert len(of_scores) == 3
    assert all(stashes[1][name] == BATCH * HEADS * KEPT for name in of_scores)
    whole, blocks = (result(workload, causal_blocks=block).memory for block in (0, BLOCK))
    assert blocks.peak_bytes < whole.peak_bytes


def test_a_schedule_is_saved_and_replayed_for_these_blocks_alone(workload, tmp_path):
    made = simulator(workload, causal_blocks=BLOCK)
    save_schedule(made.schedule(DENSE_RECIPE, DENSE), tmp_path / "schedule.json")
    saved = load_schedule(tmp_path / "schedule.json")
    assert saved.content.options["causal_blocks"] == BLOCK
    replayed = made.schedule(DENSE_RECIPE, DENSE, decisions=saved.decisions)
    saved.check_products(replayed)
    first, again = (made.run_schedule(each, DENSE_TRAINING) for each in (made.schedule(DENSE_RECIPE, DENSE), replayed))
    assert first.total_cycles == again.total_cycles
    saved.check_made_for(causal_blocks=BLOCK)
    with pytest.raises(ConfigError, match="causal_blocks: got a schedule made for 16, need one for 0"):
        saved.check_made_for(causal_blocks=0)


def test_every_answer_says_it(workload):
    (note,) = result(workload, causal_blocks=BLOCK).notes
    assert note.startswith("Causal attention is counted in blocks of 16: ")
    assert f"{KEPT / LENGTH**2:.1%} of the multiply-accumulates of its 6 products" in note
    assert f"the pairs that attend are {LENGTH * (LENGTH + 1) / 2 / KEPT:.1%} of what is left" in note
    assert result(workload).notes == ()


def test_a_workload_under_other_options_is_another_graph(workload):
    one = workload.graph_of(Options(causal_blocks=BLOCK))
    assert workload.graph_of(Options(causal_blocks=BLOCK)) is one
    assert workload.graph_of(Options()) is workload.graph
    assert replace(workload, graph=one).graph_of(Options()) is one
