"""What vector work reads: all of its inputs; of a view its part; what it gathers."""

from functools import cache

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.pattern import DENSE
from bisparse.dataflow.scheduler import Mapper, build_schedule
from bisparse.training.recipes.annotation import annotate
from bisparse.training.recipes.declaration import load_recipe

from bisparse.api import load_workload

BATCH = 2


@cache
def step_of(workload):
    """Vector works by name, and the tensors' bytes in operand precision."""
    graph = load_workload(workload).graph
    pruned = annotate(graph, load_recipe("dense").model, DENSE, pre_generation=True)
    mapper = Mapper(hardware=load_hardware("sat-vcu1525").model)
    plan = build_schedule(
        pruned, mapper, batch=BATCH, optimizer="sgd-momentum", overlap_update=True, keep_on_chip=False
    )  # fmt: skip
    vector = [each for work in plan.works for each in (*work.own_vector_works, *work.fused.works)]
    return {each.operator: each for each in vector}, graph


@pytest.mark.parametrize("workload", ["vit-cifar10", "bert-base", "gpt2-small"])
def test_reads_of_views_sum_to_their_base(workload):
    """Queries, keys and values of an attention are thirds of one tensor."""
    vector, graph = step_of(workload)
    bases = [name for name in graph.tensors if name.endswith("query_key_value:bias_add")]
    assert bases
    for base in bases:
        readers = [each for work in vector.values() for each in work.reads if each.tensor == base]
        assert len(readers) == 3
        assert sum(each.tensor_bytes for each in readers) == 2 * graph.tensors[base].elements(BATCH)


def test_nll_loss_reads_a_score_a_label_and_writes_a_gradient():
    """GPT-2: 1,024 labels a sample of 4 bytes, scores of 50,257 words."""
    vector, graph = step_of("gpt2-small")
    labels = BATCH * 1024
    forward, backward = vector["loss:nll_loss"], vector["loss:nll_loss_backward"]
    assert (forward.lane_operations, backward.lane_operations) == (labels, labels)
    assert forward.read_bytes == 2 * labels + 4 * labels
    scores = graph.tensors["loss:log_softmax"].elements(BATCH)
    assert backward.write_bytes == 2 * scores
    assert "loss:log_softmax" not in {each.tensor for each in backward.reads}
    assert backward.read_bytes < 5 * labels


def test_an_embedding_gathers_as_much_as_it_writes():
    vector, _ = step_of("gpt2-small")
    gather = vector["token_embedding:embedding"]
    assert gather.read_bytes == gather.write_bytes
