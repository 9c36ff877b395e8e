import dataclasses

import pytest
from bisparse.reports import text_summary
from bisparse.reports.run.answer import answer
from bisparse.reports.run.markdown import markdown
from bisparse.reports.run.page import page
from bisparse.reports.run.shares import array_share, dynamic_energy_ratio, static_share
from bisparse.reports.run.tables import comparison_table
from bisparse.reports.shared.quantities import cycles, joules, percent, times

from .sample import sample_result


def test_the_arrays_share_is_kept_macs_over_the_peak_of_the_whole_step():
    result = sample_result("bdwp")
    kept = result.useful_macs / (result.peak_macs_per_cycle * result.total_cycles)
    assert array_share(result) == pytest.approx(kept)
    assert array_share(result) < result.array_utilisation
    assert array_share(result.dense) < result.dense.array_utilisation


def test_the_ratio_without_static_energy_is_of_what_is_left_of_both_steps():
    result = sample_result("bdwp")
    own, dense = (step.energy_joules - step.energy_by_component["static"] for step in (result, result.dense))
    assert dynamic_energy_ratio(result) == pytest.approx(own / dense)
    nothing_else = dataclasses.replace(
        result, dense=dataclasses.replace(result.dense, energy_by_component={"static": result.dense.energy_joules})
    )
    assert dynamic_energy_ratio(nothing_else) is None
    assert "Static" not in answer(nothing_else)
    assert text_summary([nothing_else])


def test_static_energy_is_told_beside_the_energy_ratio_everywhere():
    half = dataclasses.replace(
        sample_result("bdwp"), energy_by_component={"static": sample_result("bdwp").energy_joules / 2}
    )
    said = f"is 50% of this step's energy; without it the ratio is {times(dynamic_energy_ratio(half))}"
    assert said in answer(half)
    assert said in " ".join(text_summary([half]).split())
    assert said in markdown([half], command="x")
    html = page([half], command="x").decode()
    assert f"{times(dynamic_energy_ratio(half))} without static power (50% of it)" in html
    assert static_share(half) == 0.5
    assert said in " ".join(text_summary([half, sample_result("dense")]).split())
    table = comparison_table([half, sample_result("dense")])
    assert table.rows[0][table.headings.index("energy ratio, step, without static")].text == times(
        dynamic_energy_ratio(half)
    )


def test_utilisation_says_over_which_cycles():
    result = sample_result("bdwp")
    html = page([result], command="x").decode()
    assert "array utilisation while it runs" in html
    assert f"of the whole step {percent(array_share(result))}" in html
    rows = [line.split() for line in text_summary([result]).splitlines()]
    assert [
        "array",
        "use",
        "of",
        "the",
        "step",
        percent(array_share(result.dense)),
        percent(array_share(result)),
    ] in rows
    assert percent(array_share(result)) in text_summary([result, sample_result("dense")])


def test_the_terminal_says_what_the_dense_products_take_too():
    result = sample_result("bdwp")
    gemm = result.by_scope["gemm"]
    time, energy = (line for line in text_summary([result]).splitlines() if line.startswith("  matrix products"))
    assert cycles(gemm.total_cycles * gemm.speedup_vs_dense) in time
    assert joules(gemm.energy_joules / gemm.energy_ratio_vs_dense) in energy


def test_a_stage_says_that_it_includes_waits_for_vector_work():
    note = "FF, BP and WU include waits for vector work that rides on their products."
    assert note in page([sample_result()], command="x").decode()
    assert note in markdown([sample_result()], command="x")
