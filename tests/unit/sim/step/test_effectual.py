"""Effectual products of a step small enough to follow by hand, and the energy that gating zeros saves."""

import csv
import json
import math
from dataclasses import replace

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import ConfigError
from bisparse.configs.pattern import Pattern
from bisparse.reports import text_summary
from bisparse.reports.run.effectual import effectual_words
from bisparse.reports.run.operators_csv import operators_csv
from bisparse.sim.options import Options
from bisparse.sim.results.simulation_result import DensityMatch, SimulationResult
from bisparse.sim.simulation import Simulator, Workload
from bisparse.sim.step.effectual import kept_density
from bisparse.training.densities import LayerDensities, LayerDensity
from bisparse.training.recipes.declaration import load_recipe

from ...dataflow.hand_made import MLP

SAT = load_hardware("sat-vcu1525")
GATED = replace(
    SAT,
    model=SAT.model.model_copy(
        update={"tensor_engine": SAT.model.tensor_engine.model_copy(update={"zero_gating": True})}
    ),
)
L1 = LayerDensity(
    epoch=1,
    module="l1",
    input_density=0.5,
    gradient_density=0.25,
    forward_weight_density=0.25,
    backward_weight_density=0.1875,
)
L2 = replace(L1, module="l2", input_density=0.75, gradient_density=0.5)
MEASURED = LayerDensities(name="by-hand", sha256="0" * 64, rows=(L1, L2))


def run(recipe, densities=MEASURED, hardware=SAT, sparsity="2:8", graph=MLP, **options):
    simulator = Simulator(
        workload=Workload(graph=graph, sha256="0" * 64),
        hardware=hardware,
        options=Options(densities=densities, **options),
        version="test",
    )
    return simulator.run(load_recipe(recipe), Pattern.parse(sparsity))


def effectual(result):
    return {row.name: row.effectual_macs for row in result.rows if row.engine == "tensor"}


DENSE = {  # batch 4; l1 is 32 to 16, l2 16 to 8; weights dense
    "l1:FF": 2048 * 0.5,
    "l2:FF": 512 * 0.75,
    "l2:WU": 512 * 0.75 * 0.5,
    "l2:BP": 512 * 0.5,
    "l1:WU": 2048 * 0.5 * 0.25,
}
PRUNED_FORWARD = {"l1:FF": 512 * 0.5, "l2:FF": 128 * 0.75}
MASKED_FORWARD = {"l1:FF": 2048 * 0.5 * 0.25, "l2:FF": 512 * 0.75 * 0.25}
THREE_SLOTS_IN_FOUR = {"l2:BP": 128 * 0.5 * 0.75}
TWO_LARGEST_OF_EIGHT = {"l2:BP": round(128 * 0.1875 * (8 * 1 + 247 * 2) / 256 / 2)}


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ("dense", DENSE),
        ("bdwp", DENSE | PRUNED_FORWARD | THREE_SLOTS_IN_FOUR),
        ("sr-ste", DENSE | PRUNED_FORWARD | {"l2:BP": 512 * 0.5 * 0.1875}),
        ("sdgp", DENSE | MASKED_FORWARD | TWO_LARGEST_OF_EIGHT),
    ],
)
@pytest.mark.parametrize("engine", ["analytic", "event"])
def test_each_stage_multiplies_the_densities_of_what_it_issues(recipe, expected, engine):
    result = run(recipe, engine=engine)
    assert effectual(result) == expected
    assert result.effectual_macs == sum(expected.values()) < result.issued_macs
    assert result.dense.effectual_macs == sum(DENSE.values())
    assert sum(part.effectual_macs or 0 for part in result.breakdown) == result.effectual_macs
    assert {row.effectual_macs for row in result.rows if row.engine != "tensor"} == {None}


def test_an_array_that_gates_zeros_pays_for_effectual_products_only():
    plain, gated = run("bdwp"), run("bdwp", hardware=GATED)
    assert gated.total_cycles == plain.total_cycles
    assert gated.effectual_macs == plain.effectual_macs
    for now, before, macs, issued in (
        (gated.energy_by_component, plain.energy_by_component, gated.effectual_macs, gated.issued_macs),
        (gated.dense.energy_by_component, plain.dense.energy_by_component, gated.dense.effectual_macs, 5632),
    ):
        for part in before:
            saves = macs / issued if part in ("multiply", "accumulate") else 1
            assert now[part] == pytest.approx(before[part] * saves), part
    saved = plain.energy_joules - gated.energy_joules
    assert saved > 0
    in_products = plain.by_scope["gemm"].energy_joules - gated.by_scope["gemm"].energy_joules
    assert in_products == pytest.approx(saved)


def test_without_densities_gating_saves_nothing_and_nothing_is_known():
    plain, gated = run("bdwp", None), run("bdwp", None, hardware=GATED)
    assert gated.energy_by_component == plain.energy_by_component
    assert (plain.effectual_macs, plain.densities, plain.dense.effectual_macs) == (None, None, None)
    assert "densities" not in plain.inputs
    assert effectual_words(plain) is None
    assert "non-zero" not in text_summary([plain])


def test_densities_change_nothing_but_what_they_say():
    plain, measured = run("bdwp", None), run("bdwp")
    said = {"effectual_macs": None, "densities": None, "inputs": plain.inputs, "dense": plain.dense}
    rows = tuple(replace(row, effectual_macs=None) for row in measured.rows)
    parts = tuple(replace(part, effectual_macs=None) for part in measured.breakdown)
    assert replace(measured, rows=rows, breakdown=parts, **said) == plain


def test_a_layer_without_a_row_or_a_cell_is_taken_as_dense():
    some = replace(MEASURED, rows=(replace(L2, gradient_density=None),))
    result = run("bdwp", some)
    assert result.densities == DensityMatch(matched_modules=1, unmatched_modules=("l1",), zero_gating=False)
    assert effectual(result) == {
        "l1:FF": 512,
        "l2:FF": 128 * 0.75,
        "l2:WU": 512 * 0.75,
        "l2:BP": 128 * 0.75,
        "l1:WU": 2048,
    }
    words = effectual_words(result)
    assert "3.14 k of 3.33 k issued (94%)" in words
    assert "1 of 2 modules not measured, taken as dense" in words
    assert "by-hand" in text_summary([result])
    both = text_summary([run("dense", some), result]).replace("\n", " ")
    assert "Products with two non-zero operands, of those issued: dense 95%, bdwp 2:8 94%." in both


def test_a_product_of_two_activations_takes_no_density_of_its_module():
    without = tuple(replace(each, parameter=None) if each.name == "l2:FF" else each for each in MLP.operators)
    result = run("dense", graph=replace(MLP, operators=without))
    assert effectual(result)["l2:FF"] == 512


def test_densities_of_another_network_are_refused():
    other = replace(MEASURED, rows=(replace(L1, module="layer9"),))
    with pytest.raises(ConfigError) as wrong:
        run("bdwp", other)
    assert str(wrong.value) == (
        "densities: got modules of by-hand such as 'layer9', need those of two linear layers such as 'l1'; "
        "try the graph.json of that run"
    )
    with pytest.raises(ConfigError, match=r"^densities: got str, need LayerDensities; try load_densities"):
        Options(densities="run")


def test_a_result_with_densities_survives_json_and_a_csv():
    result = run("bdwp")
    assert SimulationResult.from_document(json.loads(json.dumps(result.document()))) == result
    rows = list(csv.DictReader(operators_csv([result]).splitlines()))
    assert {row["name"]: row["effectual_macs"] for row in rows}["l2:BP"] == "48"
    assert {row["effectual_macs"] for row in rows if row["engine"] != "tensor"} == {""}


@pytest.mark.parametrize("pattern", [Pattern(1, 4), Pattern(2, 8), Pattern(3, 8), Pattern(4, 4)])
@pytest.mark.parametrize("channels", [8, 13])
def test_what_a_top_n_keeps_is_denser_than_what_it_is_given_but_no_denser_than_the_cap(pattern, channels):
    whole = kept_density(1.0, pattern, channels)
    assert math.isclose(whole, 1)
    for density in (0.0, 0.1, 0.25, 0.5, 0.9):
        kept = kept_density(density, pattern, channels)
        share = pattern.kept_of(channels) / channels
        assert density - 1e-12 <= kept <= min(1, density / share) + 1e-12
