"""Normalisations applied as they are read: who applies, what is never written, and every byte that this saves."""

from dataclasses import replace

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import ConfigError
from bisparse.configs.pattern import DENSE, Pattern
from bisparse.dataflow.deferred import defer
from bisparse.dataflow.liveness import lives
from bisparse.dataflow.scheduler import outline
from bisparse.dataflow.work_order import order_on
from bisparse.sim.options import Options
from bisparse.sim.schedule_file import load_decisions, save_schedule
from bisparse.sim.simulation import DENSE_RECIPE, Simulator, Workload
from bisparse.sim.studies.explore import evaluation
from bisparse.sim.studies.explore.one_by_one import simulate_point
from bisparse.sim.studies.explore.point import Point
from bisparse.training.capture import capture
from bisparse.training.graph import Stage
from bisparse.training.recipes.annotation import annotate
from bisparse.training.recipes.declaration import load_recipe
from pydantic import ValidationError
from torch import nn

from bisparse.api import load_workload

SAT = load_hardware("sat-vcu1525")
STATISTICS = ("batch_norm", "batch_norm_backward")
BATCH = 4


def design(application=("batch_norm",), *, load_lanes=32, statistics=STATISTICS, **fields):
    """SAT with statistics fused, and these kinds applied as their results are read."""
    update = {"fused_statistics": statistics, "fused_application": application, "load_lanes": load_lanes, **fields}
    vector = SAT.model.vector_engine.model_copy(update=update)
    return replace(SAT, model=SAT.model.model_copy(update={"vector_engine": vector}))


class Residual(nn.Module):
    """The bottleneck of ResNet: two normalisations that products read, two that a sum reads."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, bias=False)
        self.one, self.norm1 = nn.Conv2d(8, 8, 1, bias=False), nn.BatchNorm2d(8)
        self.two, self.norm2 = nn.Conv2d(8, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.short, self.norm3 = nn.Conv2d(8, 16, 1, bias=False), nn.BatchNorm2d(16)
        self.head = nn.Conv2d(16, 4, 3, bias=False)

    def forward(self, x):
        x = self.stem(x)
        y = self.norm1(self.one(x)).relu()
        y = self.norm2(self.two(y)) + self.norm3(self.short(x))
        return self.head(y.relu())


@pytest.fixture(scope="module")
def workload():
    graph = capture(Residual(), (3, 10, 10), name="residual", default_batch=BATCH, source="test")
    return Workload(graph=graph, sha256="residual")


def dense(graph):
    return annotate(graph, DENSE_RECIPE, DENSE, pre_generation=True)


def vector_works(pruned, hardware):
    works = outline(pruned, hardware.model, batch=BATCH, optimizer="sgd").works
    return [each for work in works for each in (*work.own_vector_works, *work.fused.works)]


def vector_bytes(pruned, hardware):
    """Bytes that vector work reads, and those that it and the results that it rides on write."""
    works = vector_works(pruned, hardware)
    return sum(each.read_bytes for each in works), sum(each.write_bytes for each in works)


def constants(graph, kind):
    """Bytes of what a normalisation reads beside its operand."""
    read = (name for each in graph.operators if each.kind == kind for name in each.inputs)
    return sum(2 * graph.tensors[name].elements(BATCH) for name in read if name not in graph.producer)


def result(workload, hardware, **options):
    simulator = Simulator(workload=workload, hardware=hardware, options=Options(**options), version="test")
    return simulator.run(load_recipe("dense"), DENSE)


def test_readers_read_what_was_normalised(workload):
    graph = workload.graph
    found = defer(dense(graph), ("batch_norm",), SAT.model.vector_engine.fused)
    assert found.normalisations == {f"norm{number}:batch_norm" for number in (1, 2, 3)}
    readers = {(name, tensor): each for (name, tensor), each in found.applied.items()}
    # The ReLU is applied with the normalisation: forwards, for the weights, and for its own mask.
    assert {name for name, tensor in readers if tensor == "one:FF"} == {"two:FF", "two:WU", "model:relu_backward#2"}
    assert all([rider.kind for rider in readers[name, "one:FF"].then] == ["relu"] for name in ("two:FF", "two:WU"))
    # A sum of two is no work on one tensor: it applies both.
    assert {name for name, tensor in readers if tensor in ("two:FF", "short:FF")} == {"model:add"}
    by_name = {each.name: each for each in found.graph.operators}
    assert by_name["two:FF"].inputs == ("one:FF", "two.weight")
    assert by_name["model:add"].inputs == ("two:FF", "short:FF")
    assert "model:relu" not in by_name


def test_results_that_nobody_reads_never_lie_in_memory(workload):
    pruned = dense(workload.graph)
    before, after = (
        {life.tensor for life in lives(order_on(pruned, hardware.model.vector_engine))}
        for hardware in (design(()), design())
    )
    # That of norm3 was carried to the sum before; statistics are kept for the backward pass all the same.
    assert before - after == {"model:relu", "norm2:batch_norm"}
    assert after <= before
    assert {"norm1:batch_norm.1", "norm1:batch_norm.2"} <= after


def test_every_byte_saved_is_counted(workload):
    """Values of two bytes. The one that a product reads: written once, read once to be made, and what its ReLU's mask
    is found from passes by where the backward statistics need it anyway. Of the sum's two operands one was carried to
    it, and the other one written and read. Scales and shifts are read with the statistics alone.
    """
    graph = workload.graph
    of_product = 2 * graph.tensors["one:FF"].elements(BATCH)
    of_sum = 2 * graph.tensors["short:FF"].elements(BATCH)
    before, after = (vector_bytes(dense(graph), hardware) for hardware in (design(()), design()))
    assert before[0] - after[0] == 2 * of_product + of_sum + constants(graph, "batch_norm")
    assert before[1] - after[1] == of_product + of_sum


@pytest.mark.parametrize("keep_on_chip", [False, True])
def test_the_engines_agree(workload, keep_on_chip):
    for lanes in (1, 64):
        hardware = design(load_lanes=lanes)
        closed, played = (
            result(workload, hardware, engine=engine, keep_on_chip=keep_on_chip) for engine in ("analytic", "event")
        )
        assert played.total_cycles == pytest.approx(closed.total_cycles, rel=0.01)
        for name in ("dram_read_bytes", "dram_write_bytes", "on_chip"):
            assert getattr(closed, name) == getattr(played, name)
        assert played.energy_joules == pytest.approx(closed.energy_joules, rel=0.01)


def test_a_step_moves_less_and_lanes_that_are_too_few_slow_its_products(workload):
    without, few, many = (
        result(workload, hardware, keep_on_chip=False)
        for hardware in (design(()), design(load_lanes=1), design(load_lanes=4096))
    )
    saved = sum(vector_bytes(dense(workload.graph), design(()))) - sum(vector_bytes(dense(workload.graph), design()))
    for found in (few, many):
        moved = found.dram_read_bytes + found.dram_write_bytes
        assert without.dram_read_bytes + without.dram_write_bytes - moved == saved
    cycles = {row.name: row.cycles for row in many.rows}
    slowed = {row.name for row in few.rows if row.cycles > cycles[row.name]}
    assert slowed == {"two:FF", "two:WU"}
    assert {row.limit for row in few.rows if row.name in slowed} == {"load lanes"}
    assert few.memory.peak_bytes == many.memory.peak_bytes < without.memory.peak_bytes


def test_vector_work_is_paid_for_where_it_is_applied(workload):
    """Of a normalisation of 4 lane cycles an element half are its statistics; its ReLU takes one."""
    graph = workload.graph
    elements = graph.tensors["one:FF"].elements(BATCH)
    works = {each.operator: each for each in vector_works(dense(graph), design())}
    assert works["norm1:batch_norm:statistics"].lane_operations == 2 * elements
    # Its own lane cycle, and three to find what it was the ReLU of.
    assert works["model:relu_backward#2"].lane_operations == (1 + 2 + 1) * elements
    plan = outline(dense(graph), design().model, batch=BATCH, optimizer="sgd")
    applied = {work.operator: [each.gemm.applied for each in work.products] for work in plan.works if work.products}
    assert applied["two:FF"] == applied["two:WU"] == [(3.0, 0.0)]
    assert applied["head:FF"] == applied["one:FF"] == [(0.0, 0.0)]


def test_elements_applied_are_those_that_are_loaded(workload):
    """Energy is that of every load: each block as often as it is fetched."""
    options = Options(keep_on_chip=False)
    simulator = Simulator(workload=workload, hardware=design(), options=options, version="test")
    report = simulator.step(load_recipe("dense"), DENSE)
    (time,) = (each for each in report.step.works if each.work.operator == "two:FF")
    (cost,) = time.costs
    weights = 2 * workload.graph.tensors["two.weight"].elements(BATCH)
    image = cost.read_bytes - weights
    assert image >= 2 * workload.graph.tensors["one:FF"].elements(BATCH)
    assert cost.actions["vector_operations"] == 3 * image // 2


def test_a_schedule_is_replayed(workload, tmp_path):
    simulator = Simulator(workload=workload, hardware=design(), options=Options(), version="test")
    made = simulator.schedule(DENSE_RECIPE, DENSE)
    save_schedule(made, tmp_path / "schedule.json")
    again = simulator.schedule(DENSE_RECIPE, DENSE, decisions=load_decisions(tmp_path / "schedule.json"))
    assert [each.gemm for each in made.products] == [each.gemm for each in again.products]


def test_what_many_vector_operators_read_is_made_once():
    """A pooling, its gradient and the ReLU's mask would each apply again."""
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 4, 3))
    graph = capture(network, (3, 10, 10), name="pooled", default_batch=BATCH, source="test")
    found = defer(dense(graph), ("batch_norm",), SAT.model.vector_engine.fused)
    assert not found.normalisations
    assert found.graph is graph


def test_an_operand_that_is_pruned_on_its_way_in_is_made_before(workload):
    """What prunes the operand that a product moves needs it as it is."""
    graph = workload.graph
    pruned = annotate(graph, load_recipe("sdgp").model, Pattern(2, 8), pre_generation=True)
    assert (
        defer(pruned, ("batch_norm",), ("relu",)).normalisations
        == defer(dense(graph), ("batch_norm",), ("relu",)).normalisations
    )
    (reader,) = (each for each in graph.products if each.name == "two:FF")
    on_load = next(each for each in pruned.prunings.values() if each.operand != "weight")
    touched = replace(pruned, prunings={**pruned.prunings, reader.name: on_load})
    assert "norm1:batch_norm" not in defer(touched, ("batch_norm",), ("relu",)).normalisations


@pytest.mark.parametrize("recipe", ["bdwp", "sdgp", "sr-ste", "sdgp-maxnorm", "bi-mask"])
@pytest.mark.parametrize("engine", ["analytic", "event"])
def test_every_recipe_runs(workload, recipe, engine):
    simulator = Simulator(workload=workload, hardware=design(), options=Options(engine=engine), version="test")
    assert simulator.run(load_recipe(recipe), Pattern(2, 8)).total_cycles > 0


def test_normalisations_of_rows_and_softmax_are_left_to_readers_too():
    """Where a design finds their statistics on the way out, in a pass of its own."""
    network = nn.Sequential(nn.Linear(16, 16), nn.LayerNorm(16), nn.Linear(16, 8))
    graph = capture(network, (12, 16), name="rows", default_batch=BATCH, source="test")
    two = {"layer_norm": SAT.model.vector_engine.operations["layer_norm"].model_copy(update={"passes": 2})}
    operations = {**SAT.model.vector_engine.operations, **two}
    before, after = (
        design(kinds, statistics=("layer_norm",), operations=operations) for kinds in ((), ("layer_norm",))
    )
    found = order_on(dense(graph), after.model.vector_engine).applied
    assert {reader for reader, _ in found} == {"2:FF", "2:WU"}
    (read, written), (reads, writes) = (vector_bytes(dense(graph), each) for each in (before, after))
    values = 2 * BATCH * 12 * 16
    assert (read - reads, written - writes) == (values + constants(graph, "layer_norm"), values)


def test_a_sweep_gives_the_figures_of_each_design_alone(workload, monkeypatch):
    monkeypatch.setattr(evaluation, "_FEWEST", 1)
    points = [
        Point(
            hardware=replace(design(load_lanes=lanes), sha256=str(lanes)),
            workload=workload,
            recipe=load_recipe("bdwp"),
            pattern=Pattern(2, 8),
            options=Options(),
        )
        for lanes in (1, 4, 64)
    ]
    assert evaluation.evaluate(points, "test") == [simulate_point(point, "test") for point in points]


def test_inference_of_a_graph_without_statistics_is_as_it_was(workload):
    one, other = (result(workload, hardware, pass_="inference") for hardware in (design(()), design()))
    assert one.total_cycles == other.total_cycles


def test_shipped_designs_apply_nothing_on_the_way_in():
    graph = load_workload("resnet9-cifar10").graph
    order = order_on(dense(graph), SAT.model.vector_engine)
    assert order.applied == {}
    assert order.graph is graph
    assert all(operator.stage is not Stage.UPDATE for group in order.groups for operator in (group.operator,))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"fused_application": ("relu",)}, r"fused_application\.0: got 'relu', need a normalisation of one tensor"),
        (
            {"fused_application": ("batch_norm_backward",)},
            r"fused_application\.0: got 'batch_norm_backward', need a norm",
        ),
        ({"fused_statistics": ()}, r"fused_application\.0: got 'batch_norm', need a kind of fused_statistics"),
        ({"load_lanes": 0}, r"load_lanes: got 0, need at least 1 for fused_application"),
    ],
)
def test_a_design_that_cannot_is_refused(fields, message):
    document = design().model.vector_engine.model_dump() | fields
    with pytest.raises((ValidationError, ConfigError), match=message):
        type(SAT.model.vector_engine)(**document)
