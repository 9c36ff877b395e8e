import csv
import dataclasses

import pytest
from bisparse.configs import library
from bisparse.reports import text_summary
from bisparse.reports.run.markdown import markdown
from bisparse.reports.run.throughput import dense_throughput, throughput

from .sample import sample_result


def test_operations_are_two_a_multiply_accumulate_in_the_time_of_the_whole_step():
    result = sample_result("bdwp")
    own, dense = throughput(result), dense_throughput(result)
    assert own.samples_per_second == pytest.approx(result.batch / result.step_seconds)
    assert own.kept_per_second == pytest.approx(2 * result.useful_macs / result.step_seconds)
    assert own.watts == pytest.approx(result.energy_joules / result.step_seconds)
    assert own.kept_per_joule == pytest.approx(2 * result.useful_macs / result.energy_joules)
    faster, thriftier = result.dense.step_seconds / result.step_seconds, result.dense.energy_joules
    assert own.effective_per_second == pytest.approx(faster * dense.effective_per_second)
    assert own.effective_per_joule == pytest.approx(thriftier / result.energy_joules * dense.effective_per_joule)
    assert dense.kept_per_second == dense.effective_per_second


def test_a_dense_step_has_no_effective_operations_beside_its_own():
    told = markdown([sample_result("dense")], command="bisparse simulate")
    assert "kept operations a second" in told
    assert "effective operations a second" not in told
    assert "samples a second, power" in text_summary([sample_result("dense")])


def test_a_step_that_takes_no_time_has_no_throughput():
    nothing = dataclasses.replace(sample_result("dense"), step_seconds=0.0)
    assert throughput(nothing).kept_per_joule == 0.0


def test_every_published_accelerator_has_a_figure_and_a_source():
    with library.find("peers", "training-accelerators").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 12
    for row in rows:
        assert row["source"], row
        assert row["seen"] in ("abstract", "full text", "third party"), row
        assert row["throughput"] or row["efficiency"], row
