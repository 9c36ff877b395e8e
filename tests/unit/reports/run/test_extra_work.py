"""What the reports say of a method's extra work in a step."""

import dataclasses
import json

from bisparse.reports.run.extra_work import extra_work_sentence, extra_work_table
from bisparse.reports.run.markdown import markdown
from bisparse.reports.run.page import page
from bisparse.reports.run.terminal import text_summary
from bisparse.sim.results.extra_work import ExtraWorkShare
from bisparse.sim.results.simulation_result import SimulationResult

from .sample import sample_result

SORT = ExtraWorkShare(
    name="sort of weights", engine="reduction", every_steps=1, cycles=1200, busy_cycles=1160, joules=0.5,
    share_of_time=0.12, share_of_energy=0.034,
)  # fmt: skip
SEARCH = ExtraWorkShare(
    name="permutation search", engine="reduction", every_steps=100, cycles=0, busy_cycles=40, joules=0.0001,
    share_of_time=0.0, share_of_energy=0.0001,
)  # fmt: skip


def worked():
    return dataclasses.replace(sample_result(), extra_work=(SORT, SEARCH))


def test_a_sentence_has_each_one_s_engine_and_shares():
    assert extra_work_sentence(worked()) == (
        "Extra work of the method, of the step's time and energy: sort of weights (reduction engine) 12% and 3.4%; "
        "permutation search, 1/100 of it a step, (reduction engine) 0% and <0.1%."
    )


def test_a_table_has_a_row_each():
    table = extra_work_table(worked())
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["sort of weights", "reduction", "every step", "1.20 k", "1.16 k", "500 mJ", "12%", "3.4%"],
        ["permutation search", "reduction", "1/100 of it", "0", "40", "100 µJ", "0%", "<0.1%"],
    ]


def test_every_report_tells_it_and_none_where_there_is_none():
    for told in (lambda each: text_summary([each]), lambda each: markdown([each], command="x"), lambda each: (
        page([each], command="x").decode())):  # fmt: skip
        assert "sort of weights" in told(worked())
        assert "xtra work of the method" not in told(sample_result())


def test_it_survives_json():
    assert SimulationResult.from_document(json.loads(json.dumps(worked().document()))).extra_work == (SORT, SEARCH)
    assert "extra_work" not in sample_result().document()
