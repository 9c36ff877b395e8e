"""Zeros of activations and gradients, declared by a recipe or measured by a run, through a whole step."""

from dataclasses import replace

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import ConfigError
from bisparse.configs.formats import parse_format
from bisparse.configs.pattern import DENSE, Pattern
from bisparse.configs.schema import Loaded
from bisparse.configs.unstructured import Unstructured
from bisparse.dataflow.lowering import lower
from bisparse.reports.run.answer import skips_streamed
from bisparse.sim.options import Options
from bisparse.sim.simulation import Simulator, Workload
from bisparse.training.densities import LayerDensities, LayerDensity
from bisparse.training.graph import Stage
from bisparse.training.recipes.annotation import annotate
from bisparse.training.recipes.declaration import load_recipe
from bisparse.training.recipes.declared_rules import ActivationRule
from bisparse.training.recipes.streamed_zeros import StreamedZeros, streamed_zeros
from pydantic import ValidationError

from ...dataflow.hand_made import MLP

SAT, ONE, BOTH = map(load_hardware, ("sat-vcu1525", "sat-unstructured", "sat-intersection"))
RULES = (ActivationRule(names=("l2",), input="90%"), ActivationRule(names=("l1",), gradient="80%", input="50%"))


def declaring(name, rules=RULES):
    """A shipped recipe that declares zeros of activations besides."""
    loaded = load_recipe(name)
    return replace(loaded, model=loaded.model.model_copy(update={"activations": rules}))


def simulator(hardware, densities=None, **options):
    return Simulator(
        workload=Workload(graph=MLP, sha256="0" * 64),
        hardware=hardware,
        options=Options(densities=densities, **{"batch": 256} | options),
        version="test",
    )


def rows(result):
    return {row.name: row for row in result.rows if row.engine == "tensor"}


def test_stages_meet_the_zeros_of_their_own_operands():
    found = streamed_zeros(MLP, declaring("dense").model)
    half, fifth, tenth = Unstructured(50.0), Unstructured(80.0), Unstructured(90.0)
    assert found["l1:FF"] == StreamedZeros(input=half)
    assert found["l1:WU"] == StreamedZeros(input=half, gradient=fifth)
    assert found["l2:FF"] == found["l2:WU"] == StreamedZeros(input=tenth)
    assert "l2:BP" not in found


def test_what_was_measured_goes_before_what_is_declared():
    row = LayerDensity(epoch=1, module="l2", input_density=0.25, gradient_density=1.0)
    measured = LayerDensities(name="run", sha256="0" * 64, rows=(row,))
    found = streamed_zeros(MLP, declaring("dense").model, measured)
    assert found["l2:FF"] == StreamedZeros(input=Unstructured(75.0))
    assert found["l1:FF"] == StreamedZeros(input=Unstructured(50.0))
    assert streamed_zeros(MLP, load_recipe("dense").model) == {}
    nothing = LayerDensities(name="run", sha256="0" * 64, rows=(replace(row, input_density=0.0),))
    assert streamed_zeros(MLP, load_recipe("dense").model, nothing) == {}


@pytest.mark.parametrize("hardware", [SAT, ONE])
def test_a_design_that_skips_none_of_them_takes_the_same_time_and_says_so(hardware):
    for recipe, pattern in (("bdwp", Pattern(2, 8)), ("static-masks", Unstructured(80.0))):
        plain = simulator(hardware).run(load_recipe(recipe), pattern)
        declared = simulator(hardware).run(declaring(recipe), pattern)
        for name in (
            "total_cycles",
            "energy_joules",
            "dram_read_bytes",
            "dram_write_bytes",
            "issued_macs",
            "useful_macs",
        ):
            assert getattr(declared, name) == getattr(plain, name)
        row = rows(declared)["l2:WU"]
        words = {
            "sat-vcu1525": "sat-vcu1525 skips no zeros that lie without a rule",
            "sat-unstructured": "sat-unstructured skips zeros of stored weights alone",
        }
        assert row.dense_reason == words[hardware.model.name]
        assert (row.sparsity, row.pruned_operand) == ("90%", "input")
        assert declared.effectual_macs < plain.issued_macs


@pytest.mark.parametrize("engine", ["analytic", "event"])
def test_a_design_that_intersects_skips_them(engine):
    found = simulator(BOTH, engine=engine).run(declaring("static-masks"), Unstructured(50.0))
    plain = simulator(BOTH, engine=engine).run(load_recipe("static-masks"), Unstructured(50.0))
    both, one = rows(found), rows(plain)
    assert both["l2:FF"].issued_macs == -(-one["l2:FF"].issued_macs // 10)
    assert both["l2:FF"].useful_macs == one["l2:FF"].useful_macs
    assert both["l2:FF"].effectual_macs == both["l2:FF"].issued_macs
    assert both["l1:WU"].issued_macs == -(-one["l1:WU"].issued_macs // 10)
    assert all(both[name].cycles <= one[name].cycles for name in one)
    assert skips_streamed(found)
    assert not skips_streamed(plain)
    # What is written stays dense: nobody encodes a result.
    assert found.dram_write_bytes == plain.dram_write_bytes


@pytest.mark.parametrize("left", ["50% of rows", "50% of columns", "band 8"])
def test_zeros_that_stream_past_what_is_left_of_a_weight_are_skipped(left):
    found = rows(simulator(BOTH).run(declaring("static-masks"), parse_format(left)))
    plain = rows(simulator(BOTH).run(load_recipe("static-masks"), parse_format(left)))
    for name, kept in (("l2:FF", 10), ("l1:BP", 5), ("l1:WU", 10)):
        if name in found:
            assert found[name].issued_macs < plain[name].issued_macs / kept * 1.01
            assert found[name].useful_macs == plain[name].useful_macs


def test_zeros_that_stream_past_a_sum_of_terms_take_time_and_a_reason_says_so():
    found = rows(simulator(BOTH).run(declaring("static-masks"), parse_format("2:8+1:8")))
    assert found["l2:FF"].dense_reason == "beside 2:8+1:8 every value of the other operand is multiplied"
    assert found["l2:WU"].dense_reason == ""


def test_a_weight_gradient_sums_over_the_rows_of_what_streams():
    rule = ActivationRule(names=("l2",), input="50% in each row")
    pruned = annotate(MLP, declaring("dense", (rule,)).model, DENSE, pre_generation=True)
    of_stage = {
        each.stage: lower(each, 256, None, pruned.streamed[each.name]).gemms[0].a.within
        for each in MLP.products
        if each.name in pruned.streamed
    }
    assert of_stage == {Stage.FORWARD: "row", Stage.WEIGHT_GRADIENT: "column"}


def test_the_dense_step_knows_of_no_zeros():
    row = LayerDensity(epoch=1, module="l1", input_density=0.2, gradient_density=0.2)
    measured = LayerDensities(name="run", sha256="0" * 64, rows=(row,))
    with_them, without = (simulator(BOTH, densities) for densities in (measured, None))
    assert with_them.dense.total_cycles == without.dense.total_cycles
    step, dense = (each.run(load_recipe("dense"), DENSE) for each in (with_them, without))
    assert rows(step)["l1:WU"].issued_macs < rows(dense)["l1:WU"].issued_macs


def test_declared_zeros_are_gated_and_gating_takes_no_time():
    gating = replace(
        SAT,
        model=SAT.model.model_copy(
            update={"tensor_engine": SAT.model.tensor_engine.model_copy(update={"zero_gating": True})}
        ),
    )
    gated, plain = (simulator(each).run(declaring("bdwp"), Pattern(2, 8)) for each in (gating, SAT))
    assert gated.total_cycles == plain.total_cycles
    assert gated.energy_joules < plain.energy_joules
    assert simulator(gating).run(load_recipe("bdwp"), Pattern(2, 8)).energy_joules == plain.energy_joules


def test_a_gradient_that_is_pruned_keeps_its_format():
    pruned = annotate(MLP, declaring("sdgp").model, Pattern(2, 8), pre_generation=True)
    assert {str(each.pattern) for each in pruned.prunings.values()} == {"2:8"}
    result = simulator(BOTH).run(declaring("sdgp", (ActivationRule(names=("l2",), gradient="50%"),)), Pattern(2, 8))
    assert rows(result)["l2:BP"].sparsity == "2:8"
    assert {operator.stage for operator in MLP.products} > {Stage.BACKWARD}


def test_rules_that_say_nothing_or_name_nothing_are_refused():
    with pytest.raises(ValidationError, match="need a share of zeros such as 90%"):
        ActivationRule(names=("l1",))
    for text in ("2:8", "75% block 4x4", "50% of rows", "4 diagonal blocks", "band 32", "80% as run-length"):
        with pytest.raises(ValidationError, match="activations have no rule"):
            ActivationRule(names=("l1",), input=text)
    wrong = declaring("dense", (ActivationRule(names=("l9",), input="90%"),))
    assert isinstance(wrong, Loaded)
    with pytest.raises(ConfigError, match=r"activations\.0\.names\.0: got 'l9'"):
        simulator(SAT).run(wrong, DENSE)


def test_both_engines_move_and_multiply_the_same():
    closed, played = (
        simulator(BOTH, engine=engine).run(declaring("static-masks"), Unstructured(70.0))
        for engine in ("analytic", "event")
    )
    for name in ("dram_read_bytes", "dram_write_bytes", "issued_macs", "effectual_macs"):
        assert getattr(closed, name) == getattr(played, name)
    assert closed.total_cycles == pytest.approx(played.total_cycles, rel=0.002)
