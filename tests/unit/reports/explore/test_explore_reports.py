"""What a study's reports say of a study whose answer is known."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from bisparse.reports.explore import answer as answers
from bisparse.reports.explore import tables as tables
from bisparse.reports.explore.figures import effects_figures, parallel_figure, sensitivity_figures
from bisparse.reports.explore.findings import Base, Findings
from bisparse.reports.explore.front_figure import drawn_rows, front_figure, pair_figures
from bisparse.reports.explore.markdown import explore_markdown
from bisparse.reports.explore.page import explore_page, highlights
from bisparse.reports.explore.terminal import findings_text
from bisparse.reports.explore.words import axis_labels, setting_text

from . import explore_sample as sample

BASE_SETTINGS = {
    "hardware.tensor_engine.rows": 32,
    "hardware.clock_hz": 200e6,
    "hardware.buffers.west.capacity_bytes": 2 * sample.MIB,
    "hardware.reduction_engine.lanes": 8,
    "hardware.dram.channels": 4,
    "sparsity": "2:4",
}


def findings(objectives=sample.OBJECTIVES, *, base=True, judge=sample.invented, **space):
    made = sample.space_of(objectives=objectives, **space)
    known = Base(name="sat-vcu1525", settings=BASE_SETTINGS, figures=sample.invented(BASE_SETTINGS)[0])
    return Findings(study=sample.study_of(made, judge), space=made, base=known if base else None)


STUDIES = {
    "two": findings(),
    "one": findings(sample.OBJECTIVES[:1]),
    "four": findings((*sample.OBJECTIVES, ("pe_count", False), ("samples_per_joule", True))),
    "without base": findings(base=False),
    "sampled": findings(strategy="nsga2"),
    "nothing feasible": findings(judge=lambda _: (None, "tensor_engine: got no mapping")),
    "one objective, nothing feasible": findings(sample.OBJECTIVES[:1], judge=lambda _: (None, "got no mapping")),
    "one objective, one design": findings(
        sample.OBJECTIVES[:1], axes={name: values[:1] for name, values in sample.AXES.items()}
    ),
    "one design": findings(axes={name: values[:1] for name, values in sample.AXES.items()}),
}
TWO = STUDIES["two"]


@pytest.fixture(params=STUDIES.values(), ids=STUDIES.keys())
def found(request):
    return request.param


def cells(table):
    return [tuple(cell.text for cell in row) for row in table.rows]


# Every study ---------------------------------------------------------------------------------------------------------


def page(found):
    text = explore_page(
        found,
        command="bisparse explore sat-shape",
        version="0.1.0",
        assumptions=(),
        inputs={"sweep": ("sat-shape", "5e" * 32)},
        best_commands=["bisparse simulate x"] * len(found.chosen.best),
    )
    return text.decode()


def test_every_study_has_a_page_a_markdown_and_a_text(found):
    html = page(found)
    drawn = json.loads(re.search(r'id="figures">(.*?)</script>', html)[1])["explore"]
    places = set(re.findall(r'data-key="explore" data-figure="(\w+)"', html))
    assert places == set(drawn)
    markdown = explore_markdown(found, command="c", statuses="1 given", inputs={}, best_commands=[])
    text = findings_text(found)
    assert max(map(len, text.splitlines())) <= 80
    for said in (html, markdown, text):
        assert "nan" not in re.sub(r"<script.*?</script>", "", said, flags=re.DOTALL).replace("provenance", "").lower()


def test_no_figure_of_a_picture_is_missing(found):
    if not len(found.chosen.feasible):
        return
    pictures = [front_figure(found), parallel_figure(found), *pair_figures(found).values()]
    pictures += [*effects_figures(found).values(), *sensitivity_figures(found).values()]
    for picture in pictures:
        assert "NaN" not in json.dumps(picture)


def test_the_first_picture_is_the_pair_that_goes_against_each_other():
    # Samples a joule and energy say the same; the processing elements cost what the time saves.
    four = findings((*sample.OBJECTIVES, ("pe_count", False), ("samples_per_joule", True)))
    time, energy = four.drawn.figures.index("step_seconds"), four.drawn.figures.index("energy_joules")
    lead, *others = four.drawn_pairs
    assert lead[0] == time
    assert sorted([lead, *others]) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    alike = findings((("energy_joules", False), ("samples_per_joule", True), ("step_seconds", False)))
    assert alike.drawn_pairs[0] == (0, 2)
    assert energy == 1
    assert "energy" in front_figure(alike)["layout"]["xaxis"]["title"]["text"]
    assert "step time" in front_figure(alike)["layout"]["yaxis"]["title"]["text"]


def test_the_headline_has_the_best_the_knee_and_the_base():
    table = tables.headline_table(TWO)
    assert [row[0].text for row in table.rows] == [
        "best energy-delay product",
        "knee of the front",
        "base: sat-vcu1525",
    ]
    assert {len(row) for row in table.rows} == {len(table.headings)}


def test_tables_have_a_cell_a_heading(found):
    made = [tables.axes_table(found), tables.reasons_table(found)]
    if len(found.chosen.feasible):
        made += [tables.best_table(found), tables.front_table(found), tables.shares_table(found)]
        made += [tables.standing_table(found), tables.groups_table(found)]
        made += [tables.pair_table(found, pair) for pair in found.pairs]
    for table in filter(None, made):
        assert {len(row) for row in table.rows} <= {len(table.headings)}


# The answer ----------------------------------------------------------------------------------------------------------


def test_the_answer_counts_and_names_the_best_beside_the_base():
    said = answers.opening(TWO)
    best = int(TWO.chosen.best[0])
    product = TWO.table["energy_delay_joule_seconds"]
    assert product.iloc[best] == product.min()
    assert said.startswith(
        f"108 designs, 96 feasible; {len(TWO.chosen.front)} are on the Pareto front of lowest step time and "
        "lowest energy."
    )
    ratio = TWO.figure(best, "step_seconds") / TWO.base.figures["step_seconds"]
    assert f"ms ({ratio:.2f}x the base design's) and " in said
    assert highlights(TWO)[0]["lead"] == "lead"


def test_sparsity_changes_the_hardware_where_the_ratio_moves_the_best_buffer():
    said = answers.sparsity_answer(TWO)
    assert said.startswith("Sparsity changes the best hardware (sparsity 2:4): ")
    assert "capacity 2 MiB in place of 4 MiB" in said
    pair = TWO.pairs[0]
    assert f"loses {100 * pair.sparse_loss:.0f}%" in said
    rows = {row[0]: row for row in cells(tables.pair_table(TWO, pair))}
    assert rows["capacity"][1:] == ("4 MiB", "2 MiB", "differs")
    # The dense step does not ask for lanes: of all alike the one is shown that serves the sparse step.
    assert rows["lanes"][1:] == ("32 (or 8)", "32", "")


def test_hardware_that_is_best_for_both_is_said_to_be():
    same = findings(axes={**sample.AXES, "hardware.buffers.west.capacity_bytes": (2 * sample.MIB,)})
    assert answers.sparsity_answer(same).startswith("Sparsity does not change the hardware")


def test_each_ratio_has_its_own_best_hardware():
    rows = cells(tables.groups_table(TWO))
    assert [row[0] for row in rows] == ["2:4", "2:8"]


def test_the_base_design_is_told_how_far_the_front_lies():
    stands = TWO.standing
    assert stands.beaten_by > 0
    assert answers.base_sentence(TWO).startswith(
        f"The base design, sat-vcu1525, is beaten by {stands.beaten_by} of the front"
    )
    reached = [row[3] for row in cells(tables.standing_table(TWO))]
    assert reached == [f"{factor:.2f}x" for factor in stands.factors]


def test_a_base_design_that_cannot_run_says_why():
    broken = replace(TWO, base=Base(name="sat", settings={}, figures=None, reason="no mapping"))
    assert answers.base_sentence(broken) == "The base design, sat, cannot run the step: no mapping."
    assert broken.standing is None


def test_the_edge_of_the_space_is_pointed_at():
    assert "a better one may lie beyond" in answers.edge_sentence(TWO)
    assert "channels" not in answers.edge_sentence(TWO)


def test_the_axis_that_matters_most_comes_first():
    first = TWO.axes[TWO.important[0]].name
    assert first in ("hardware.tensor_engine.rows", "hardware.clock_hz")
    assert "hardware.dram.channels" not in [TWO.axes[at].name for at in TWO.varied]
    assert "with interactions" in str(tables.shares_table(TWO).headings)


def test_a_sample_has_no_totals():
    assert "with interactions" not in str(tables.shares_table(STUDIES["sampled"]).headings)
    assert "does not tell interactions" in answers.shares_words(STUDIES["sampled"])


def test_reasons_that_differ_in_a_number_are_one_and_keep_the_numbers_that_do_not():
    (row,) = cells(tables.reasons_table(TWO))
    assert row[0] == "12"
    assert row[2] == "constraints.0: on_chip_bytes <= 8 MiB: got …"


def test_a_search_is_held_against_the_whole_space():
    whole = TWO.study
    half = sample.study_of(TWO.space)
    half.table = half.table[half.table["hardware.clock_hz"] > 100e6].reset_index(drop=True)
    search = replace(TWO, study=half, reference=whole).search
    assert 0 < search.found < 1
    assert 0 < search.hypervolume < 1
    assert (search.evaluated, search.size) == (72, 108)
    complete = replace(TWO, reference=whole).search
    assert (complete.found, complete.hypervolume) == (1, 1)


# The picture of the front --------------------------------------------------------------------------------------------


def test_the_front_s_line_steps_towards_what_can_be_reached():
    line = next(trace for trace in front_figure(TWO)["data"] if trace["name"] == "front line")
    assert line["line"]["shape"] == "hv"
    assert line["x"] == sorted(line["x"])
    assert line["y"] == sorted(line["y"], reverse=True)


def test_a_point_tells_its_configuration_and_its_key():
    front = next(trace for trace in front_figure(TWO)["data"] if trace["name"].startswith("Pareto front"))
    row = int(TWO.chosen.front[0])
    assert front["customdata"][0][-1] == TWO.key(row)
    assert setting_text("hardware.clock_hz", TWO.settings(row)["hardware.clock_hz"]) in front["customdata"][0]
    assert "clock <b>%{customdata[1]}</b>" in front["hovertemplate"]


def test_of_too_many_points_one_a_cell_is_drawn_and_the_front_is_whole():
    drawn = drawn_rows(TWO, most=10)
    others = np.setdiff1d(TWO.chosen.feasible, TWO.chosen.front)
    assert set(drawn) <= set(others)
    assert len(drawn_rows(TWO)) == len(others)


def test_further_objectives_have_their_own_pictures():
    assert len(pair_figures(STUDIES["four"])) == 5


# Words ---------------------------------------------------------------------------------------------------------------


def test_labels_are_as_short_as_they_can_be_told_apart():
    names = ["hardware.reduction_engine.lanes", "hardware.update_engine.lanes", "hardware.dram.channels", "lanes"]
    assert list(axis_labels(names).values()) == ["reduction.lanes", "update.lanes", "channels", "lanes"]


@pytest.mark.parametrize(
    ("axis", "value", "wanted"),
    [
        ("hardware.buffers.west.capacity_bytes", 512 * 1024, "512 KiB"),
        ("hardware.clock_hz", 2.5e8, "250 MHz"),
        ("hardware.dram.latency_seconds", 2e-7, "200 ns"),
        ("hardware.policy.keep_on_chip", True, "true"),
        ("hardware.buffers.west.port_bytes_per_cycle", 256, "256"),
        ("sparsity", "2:8", "2:8"),
        ("anything", float("nan"), "–"),
    ],
)
def test_settings_have_the_unit_of_their_field(axis, value, wanted):
    assert setting_text(axis, value) == wanted
