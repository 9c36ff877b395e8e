"""What happens every so many steps, in phases of other passes and in repeated runs, added up by hand."""

import json
from functools import cache

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.formats import parse_format
from bisparse.configs.schema import Loaded
from bisparse.sim.options import Options
from bisparse.sim.results.simulation_result import SimulationResult
from bisparse.sim.results.training_figures import TrainingRun
from bisparse.sim.simulation import Simulator, Workload
from bisparse.sim.training_run import simulate_training, with_training
from bisparse.training.graph import MatrixProduct, Operator, Size, Stage, Tensor, TrainingGraph
from bisparse.training.recipes.declaration import Recipe, load_recipe

from bisparse.api import load_workload

SIZE = Size(fixed=256)
DENSE_MACS = 256**3
"""Of the layer's forward product; its backward and its weight gradient have as many."""


def layer(name, stage, inputs, output):
    geometry = MatrixProduct(m=SIZE, n=SIZE, k=SIZE)
    return Operator(
        name=name, kind="linear", stage=stage, module="layer", inputs=inputs, outputs=(output,), geometry=geometry,
        parameter="w",
    )  # fmt: skip


ONE_LAYER = TrainingGraph(
    name="one layer",
    source="by hand",
    default_batch=1,
    tensors={
        name: Tensor(name=name, shape=(SIZE, SIZE), role=role)
        for name, role in {
            "x": "input", "w": "parameter", "y": "activation", "seed": "gradient", "dx": "gradient",
            "dw": "parameter_gradient",
        }.items()
    },
    operators=(
        layer("layer:FF", Stage.FORWARD, ("x", "w"), "y"),
        layer("layer:WU", Stage.WEIGHT_GRADIENT, ("x", "seed"), "dw"),
        layer("layer:BP", Stage.BACKWARD, ("seed", "w"), "dx"),
        Operator(
            name="w:update", kind="parameter_update", stage=Stage.UPDATE, module="layer", inputs=("w", "dw"),
            outputs=(), parameter="w", elements=Size(fixed=256 * 256),
        ),
    ),
)  # fmt: skip


@cache
def simulator(workload=None, engine="analytic", batch=None):
    network = Workload(graph=ONE_LAYER, sha256="") if workload is None else load_workload(workload)
    options = Options(batch=batch, engine=engine)
    return Simulator(workload=network, hardware=load_hardware("sat-vcu1525"), options=options, version="test")


def recipe(base="static-masks", **fields) -> Loaded[Recipe]:
    whole = json.loads(load_recipe(base).model.model_dump_json(by_alias=True)) | fields
    loaded = load_recipe(base)
    return Loaded(
        model=Recipe.model_validate_json(json.dumps(whole)), provenance={}, sources=(), sha256="",
        document=loaded.document,
    )  # fmt: skip


def run(method, steps, sparsity="80%", on=None):
    return simulate_training(on or simulator(), method, parse_format(sparsity), steps)


SORT = {"work": "sort", "every_steps": 10}


@pytest.mark.parametrize("between", [1, 9, 99])
def test_rigl_s_own_book_keeping(between):
    """(3 f_s dt + 2 f_s + f_D) / (dt + 1) a step: dt sparse steps, then one whose weight gradient is whole."""
    method = recipe(weight_gradient="kept", extra_work=[{"work": "weight-gradient", "every_steps": between + 1}])
    sparse, dense = round(0.2 * DENSE_MACS), DENSE_MACS
    steps = 4 * (between + 1)
    training = run(method, steps)
    assert training.useful_macs == 4 * (3 * sparse * between + 2 * sparse + dense)
    assert training.dense_useful_macs == steps * 3 * dense
    (event,) = training.events
    assert (event.times, event.useful_macs, event.engine) == (4, 4 * (dense - sparse), "tensor")


def test_a_gradient_of_kept_weights_takes_the_time_of_all_on_an_array_that_cannot_skip_and_says_so():
    kept, whole = (simulator().run(recipe(weight_gradient=which), parse_format("80%")) for which in ("kept", "dense"))
    assert kept.total_cycles == whole.total_cycles
    assert kept.useful_macs == whole.useful_macs - (DENSE_MACS - round(0.2 * DENSE_MACS))
    reasons = {row.name: row.dense_reason for row in kept.rows}
    assert reasons["layer:WU"] == "sat-vcu1525 computes the gradients of pruned weights, too"
    assert {row.dense_reason for row in whole.rows if row.name == "layer:WU"} == {""}


@pytest.mark.parametrize("engine", ["analytic", "event"])
def test_what_happens_every_k_steps_is_added_as_often_as_it_happens(engine):
    """Four passes of 2048 cycles through the sorters and 40 of latency, ten times in a hundred steps."""
    on = simulator(engine=engine)
    plain, training = run(recipe(), 100, on=on), run(recipe(extra_work=[SORT]), 100, on=on)
    assert training.total_cycles == plain.total_cycles + 10 * (4 * 2048 + 40)
    (event,) = training.events
    assert (event.times, event.cycles, event.every_steps) == (10, 10 * (4 * 2048 + 40), 10)
    assert event.engine == "reduction"
    assert training.joules == pytest.approx(plain.joules + event.joules)
    assert training.phases[0].event_cycles == event.cycles
    assert training.phases[0].step_cycles == plain.phases[0].step_cycles


def test_what_is_in_every_step_is_in_its_cost_and_no_event():
    always = run(recipe(extra_work=[SORT | {"every_steps": 1}]), 100)
    assert (always.events, always.total_cycles) == ((), run(recipe(), 100).total_cycles + 100 * (4 * 2048 + 40))


def test_nothing_happens_where_nothing_is_pruned():
    method = recipe(extra_work=[SORT], schedule={"dense_share": 0.35})
    training = run(method, 100)
    assert [phase.event_cycles // (4 * 2048 + 40) for phase in training.phases] == [0, 7]


def test_events_lie_in_the_phases_that_they_happen_in():
    method = recipe(
        extra_work=[SORT, {"work": "threshold", "every_steps": "once"}],
        schedule={"phases": [{"name": "a", "share": 0.25}, {"name": "b", "share": 0.75, "sparsity": "50%"}]},
    )
    training = run(method, 100)
    once = 2048 + 40
    assert [phase.event_cycles for phase in training.phases] == [2 * (4 * 2048 + 40) + once, 8 * (4 * 2048 + 40)]
    assert [(event.name, event.times, event.every_steps) for event in training.events] == [
        ("sort of weights", 10, 10),
        ("threshold of weights", 1, 0),
    ]


def test_each_cycle_of_a_repeated_run_is_pruned_once_and_trained_anew():
    method = recipe(
        extra_work=[{"work": "sort", "every_steps": "once"}, {"work": "average", "passes": 3, "every_steps": "once"}],
        schedule={"repeats": {"cycles": 2, "retrain_share": 0.5, "retrainings": 3}},
    )
    training = run(method, 100, "75%")
    dense, half, quarter = (each.step_cycles for each in training.phases)
    # The average reads three copies of 65536 FP32 weights and writes one: 3 x 65536 / 32 lanes are 6144 cycles.
    once = (4 * 2048 + 40) + (6144 + 40)
    assert training.total_cycles == 100 * dense + 150 * half + 150 * quarter + 2 * once
    assert training.all_steps == 400
    assert (training.steps, training.dense_cycles) == (100, 100 * dense)
    assert [phase.times for phase in training.phases] == [1, 3, 3]
    assert {event.times for event in training.events} == {2}
    assert training.seconds_after(100 + 75) == pytest.approx(
        100 * training.phases[0].step_seconds + 75 * training.phases[1].step_seconds + once / 2 / 200e6
    )
    assert training.seconds_after(400) == pytest.approx(training.seconds)


def test_forward_passes_alone_are_a_phase():
    """A calibration costs as an inference, a frozen layer as a step without its gradient and update."""
    on = simulator("resnet9-cifar10", batch=8)
    method = recipe(
        schedule={
            "phases": [
                {"name": "calibration", "steps": 20, "pass": "inference", "sparsity": "dense"},
                {"name": "fine-tuning", "freeze": "0,1", "batch": 4, "accumulate": 2},
            ]
        }
    )
    training = run(method, 100, on=on)
    first, second = training.phases
    forward = on.with_options(Options(batch=8, pass_="inference")).dense
    assert (first.steps, first.step_cycles, first.pass_) == (20, forward.numbers.total_cycles, "inference")
    own = on.with_options(Options(batch=4, freeze="0,1", accumulate=2)).step(recipe(), parse_format("80%"))
    assert (second.steps, second.step_cycles) == (80, own.numbers.total_cycles)
    assert training.total_cycles == 20 * first.step_cycles + 80 * second.step_cycles


def test_a_parameter_over_time_costs_as_it_stands_in_each_piece():
    method = recipe(
        extra_work=[{"work": "threshold", "passes": 1}],
        schedule={
            "phases": [
                {"name": "main", "set": {"extra_work.0.passes": {"shape": "steps", "values": [2, 6]}}},
            ]
        },
    )
    plain, training = run(recipe(), 100), run(method, 100)
    # Two operations a weight on 32 lanes are 4096 cycles, six 12288; then 40 of latency.
    assert training.total_cycles == plain.total_cycles + 50 * (4096 + 40) + 50 * (12288 + 40)


def test_a_run_with_events_is_plain_data_and_back():
    method = recipe(extra_work=[SORT], schedule={"repeats": {"cycles": 2}})
    training = run(method, 50, "75%")
    assert TrainingRun.from_document(json.loads(json.dumps(training.document()))) == training
    result = with_training(simulator(), simulator().run(method, parse_format("75%")), method, parse_format("75%"), 50)
    again = SimulationResult.from_document(json.loads(json.dumps(result.document())))
    assert again.training == result.training
    assert again.document() == result.document()


# In a step ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["analytic", "event"])
def test_a_step_tells_the_share_of_its_extra_work(engine):
    method = recipe(extra_work=[{"work": "sort"}, {"work": "score-product", "rank": 8}, SORT | {"name": "rare"}])
    result = simulator(engine=engine).run(method, parse_format("80%"))
    sort, scores = result.extra_work
    assert (sort.name, sort.engine, sort.cycles, sort.busy_cycles) == ("sort of weights", "reduction", 8232, 8192)
    assert (scores.name, scores.engine) == ("score-product of weights", "tensor")
    assert sort.share_of_time == 8232 / result.total_cycles
    rows = {row.name: row for row in result.rows}
    assert scores.cycles == rows["w:score-product of weights"].cycles
    assert sort.share_of_energy == rows["w:sort of weights"].energy_joules / result.energy_joules
    assert result.left_to_run == ("rare",)
    assert sum(result.by_stage.values()) == sum(result.stalls.values()) == result.total_cycles


@pytest.mark.parametrize(("name", "every", "passes"), [("transposable", 40, 1), ("bi-mask", 100, 10)])
def test_a_mask_search_in_the_update_s_stream_tells_its_share(name, every, passes):
    """passes / every of the 65536 weights in groups of 8 on 32 lanes, 2 kept of each."""
    result = simulator().run(load_recipe(name), parse_format("2:8"))
    (search,) = result.extra_work
    elements = round(65536 * passes / every)
    assert (search.engine, search.every_steps) == ("reduction", every)
    assert search.busy_cycles == -(-elements // 256) * 8
    assert 0 <= search.cycles <= search.busy_cycles
    assert search.joules > 0


def test_while_pruned_weights_count_steps_are_dense_and_sort_their_weights():
    """Three quarters of them: four passes of 2048 cycles through the sorters and 40 of latency beside a dense step."""
    on = simulator()
    training = run(recipe("iss-p"), 100, on=on)
    soft, hard = training.phases
    assert (soft.kind, soft.steps, soft.costs_as, soft.step_cycles) == (
        "leak",
        75,
        "dense",
        on.dense.numbers.total_cycles,
    )
    sort, shrinkage = training.events
    assert (sort.times, sort.cycles, sort.engine) == (75, 75 * (4 * 2048 + 40), "reduction")
    assert (shrinkage.times, shrinkage.engine) == (75, "vector")
    assert soft.event_cycles == sort.cycles + shrinkage.cycles
    assert hard.step_cycles == run(recipe(), 100, on=on).phases[0].step_cycles
    assert hard.event_cycles == 0


@pytest.mark.parametrize("sparsity", ["50%", "80%"])
def test_a_run_from_a_quarter_of_its_compute_to_three_has_the_average_density_that_its_shares_say(sparsity):
    training = run(recipe("journey-matters"), 10_000, sparsity)
    compute = training.average_density * 10_000
    first, last = training.phases[0], training.phases[-1]
    assert first.kind == "dense"
    assert first.steps == pytest.approx(0.25 * compute, rel=1e-3)
    assert last.steps * (1 - int(sparsity[:-1]) / 100) == pytest.approx(0.25 * compute, rel=1e-3)
    assert run(recipe("iss-p"), 100).average_density == pytest.approx(0.75 + 0.25 * 0.2)


# Networks that become narrower ----------------------------------------------------------------------------------------


@cache
def narrower(name):
    """A whole run of a shipped recipe on a small network, and what a step and a forward pass of it take."""
    loaded = load_recipe(name)
    run = simulate_training(simulator("resnet9-cifar10"), loaded, parse_format("0%"), 1000)
    return loaded, run


def step_cycles(loaded, **changed):
    plain = loaded.model.unpruned.model_copy(update=changed)
    report = simulator("resnet9-cifar10").step(
        Loaded(model=plain, provenance={}, sources=(), sha256="", document=loaded.document), parse_format("0%")
    )
    return report.numbers.total_cycles


@pytest.mark.parametrize("name", ["hesso", "wgsef", "otov3", "masksparsity"])
def test_driving_groups_to_zero_is_a_pass_over_their_weights_in_each_step_of_its_phase(name):
    loaded, run = narrower(name)
    (driven,) = [each for each in run.phases if each.name == "groups to zero"]
    whole, narrow = step_cycles(loaded, rewrites=()), step_cycles(loaded)
    assert driven.step_cycles == whole > narrow == run.phases[-1].step_cycles
    rule = next(each.groups_to_zero for each in loaded.model.schedule.phases if each.groups_to_zero)
    graph = load_workload("resnet9-cifar10").graph
    layers = {layer for feature in loaded.model.rewrites[0].plan(graph).sizes for layer in feature.layers}
    works = rule.works(tuple(sorted(layers)), driven.steps)
    added = [(step_cycles(loaded, rewrites=(), extra_work=(work,)) - whole, times) for work, times in works]
    assert all(cycles > 0 for cycles, _ in added)
    assert driven.event_cycles == sum(cycles * times for cycles, times in added)
    assert {each.name: each.times for each in run.events} == {work.title: times for work, times in works}
    # An operation a lane and cycle at least, of every weight in a group; it hides what of the updates was exposed.
    weights = sum(graph.tensors[f"{layer}.weight"].elements(1) for layer in layers)
    assert added[0][0] >= 0.999 * works[0][0].passes * weights / 32


def test_a_search_among_narrower_networks_is_their_forward_passes():
    loaded, run = narrower("random-search")
    forward = simulator("resnet9-cifar10").with_options(Options(pass_="inference")).step(loaded, parse_format("0%"))
    (event,) = run.events
    assert (event.times, event.cycles) == (256, 256 * forward.numbers.total_cycles)
    assert run.total_cycles == 1000 * step_cycles(loaded) + event.cycles


def test_networks_within_one_another_cost_their_mean():
    loaded, run = narrower("sortednet")
    (entry,) = loaded.model.rewrites
    widths = [step_cycles(loaded, rewrites=(entry.part_way(share),)) for share in (1.0, 0.75, 0.5, 0.25)]
    assert run.total_cycles == 200 * (sum(widths) + step_cycles(loaded, rewrites=()))
