import dataclasses
import html
import json
import re
import subprocess
import sys
import time
from html.parser import HTMLParser

import pytest
from bisparse.reports.run.page import page
from bisparse.reports.shared.html import plotly_library
from bisparse.reports.shared.quantities import count, joules, seconds, times
from bisparse.sim.results.simulation_result import Assumption

from .sample import sample_result

COMMAND = "bisparse compare resnet18-tinyimagenet --recipes dense,bdwp --out runs/one"
SECTIONS = (
    "Time by stage",
    "Time by engine",
    "From the FLOP bound to the prediction",
    "Where the cycles went",
    "The operators that matter",
    "Roofline",
    "Traffic",
    "Memory over the step",
    "Energy by component",
    "Mappings",
    "Settings",
    "What this rests on",
    "To repeat it",
    "What these words mean",
)
RECIPES = ("dense", "sr-ste", "sdgp", "sdwp", "bdwp")


def written(results):
    """The page without the library's own code."""
    return page(results, command=COMMAND).replace(plotly_library(), b"").decode()


class Reader(HTMLParser):
    """Collects what a browser would show, load and run."""

    def __init__(self, text):
        super().__init__()
        self.words, self.tags, self.data, self._open = [], [], {}, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "link", "img", "input", "br"):
            self._open.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self._open.pop()[0] == tag

    def handle_data(self, data):
        tag, attributes = self._open[-1] if self._open else ("", {})
        if tag == "script" and attributes.get("type") == "application/json":
            self.data[attributes["id"]] = json.loads(data)
        elif tag not in ("script", "style") and data.strip():
            self.words.append(data.strip())

    @property
    def text(self):
        return " ".join(self.words)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_section_stands_in_the_page_in_order(recipe):
    text = Reader(written([sample_result(recipe)])).text
    wanted = [name for name in SECTIONS if recipe != "dense" or not name.startswith("From the FLOP bound")]
    places = [text.index(name) for name in wanted]
    assert places == sorted(places)


def test_the_answer_comes_first_and_says_both_scopes_and_the_bound():
    result = sample_result("bdwp")
    text = Reader(written([result])).text
    answer = text[: text.index("Time by stage")]
    step, gemm = result.by_scope["step"], result.by_scope["gemm"]
    for figure in (
        times(step.speedup_vs_dense),
        times(step.energy_ratio_vs_dense),
        times(gemm.speedup_vs_dense),
        times(gemm.energy_ratio_vs_dense),
        times(result.flop_bound_speedup),
        seconds(result.step_seconds),
        joules(result.energy_joules),
    ):
        assert figure in answer


def test_figures_in_the_tables_are_the_results_with_the_exact_ones_behind_them():
    result = sample_result("bdwp")
    text = written([result])
    for cycles in (*result.by_stage.values(), *result.dense.by_stage.values(), *result.stalls.values()):
        if cycles >= 1000:
            assert f'title="{cycles:,}">{count(cycles)}</td>' in text
    for energy in result.energy_by_component.values():
        assert f'title="{energy:.10g}">{joules(energy)}</td>' in text


def test_the_full_table_holds_every_operator_with_counts_exact_and_energies_to_seven_digits():
    result = sample_result("bdwp")
    data = Reader(written([result])).data
    columns = [name for name, _ in data["columns"]]
    rows = [dict(zip(columns, row, strict=True)) for row in data["run0-rows"]]
    assert [(row["operator"], row["cycles"]) for row in rows] == [(row.name, row.cycles) for row in result.rows]
    energies = [row.energy_joules for row in result.rows]
    assert [row["energy"] for row in rows] == pytest.approx(energies, rel=1e-6)


def test_several_runs_stand_side_by_side_each_with_its_own_figures_and_panel():
    results = [sample_result(recipe) for recipe in RECIPES]
    reader = Reader(written(results))
    assert "bdwp 2:8 is the fastest of 5 runs" in reader.text
    panels = [attributes["id"] for tag, attributes in reader.tags if tag == "article"]
    assert panels == ["run0", "run1", "run2", "run3", "run4"]
    speedup = reader.data["figures"]["comparison"]["speedup"]["data"]
    assert speedup[0]["x"] == pytest.approx([result.speedup_vs_dense for result in results], rel=1e-6)
    assert speedup[2]["x"] == pytest.approx([result.flop_bound_speedup for result in results], rel=1e-6)


def test_dense_and_sparse_have_the_same_colours_in_every_picture_of_a_run():
    figures = Reader(written([sample_result("bdwp")])).data["figures"]["run0"]
    for name in ("stages", "engines", "causes", "energy"):
        colours = [trace["marker"]["color"] for trace in figures[name]["data"]]
        assert colours == ["@dense", "@sparse"]


def test_every_picture_asked_for_is_there_and_every_axis_says_what_it_measures():
    reader = Reader(written([sample_result(recipe) for recipe in RECIPES]))
    figures = reader.data["figures"]
    for _, attributes in reader.tags:
        if attributes.get("class") == "chart":
            figure = figures[attributes["data-key"]][attributes["data-figure"]]
            assert re.search(r", \S|\ba (byte|cycle)", figure["layout"]["xaxis"]["title"]["text"])


def test_every_colour_of_a_picture_is_one_that_the_page_defines():
    text = written([sample_result(recipe) for recipe in RECIPES])
    used = set(re.findall(r'"@(\w+)"', json.dumps(Reader(text).data["figures"])))
    assert used
    assert {name for name in used if f"--{name}:" not in text} == set()


def test_the_page_loads_nothing_from_anywhere():
    text = written([sample_result("bdwp", unknown=["aten.foo"])])
    for tag, attributes in Reader(text).tags:
        assert tag not in ("iframe", "object", "embed", "base")
        for name in ("src", "href", "data", "action", "srcset"):
            assert attributes.get(name, "#").startswith(("#", "data:")), (tag, attributes)
    assert "http://" not in text
    assert "https://" not in text
    assert "@import" not in text
    assert "url(" not in text


def test_hostile_names_are_shown_and_never_run():
    hostile = '</script><img src=x onerror="alert(1)">'
    text = written([sample_result("bdwp", module_prefix=hostile, unknown=[hostile])])
    reader = Reader(text)
    assert not [attributes for tag, attributes in reader.tags if tag == "img" or "onerror" in attributes]
    assert hostile in reader.text
    assert html.escape(hostile) in text.replace("&#34;", "&quot;")
    assert reader.data["run0-rows"][0][0].startswith(hostile)
    hovers = json.dumps(reader.data["figures"]["run0"]["roofline"])
    assert "<img" not in hovers


def test_unknown_operators_are_warned_of_and_their_absence_is_not():
    assert "without a formula" not in written([sample_result()])
    text = Reader(written([sample_result(unknown=["aten.foo", "aten.bar"])])).text
    assert "2 operators without a formula of their own." in text
    assert "aten.foo" in text


def test_assumptions_are_counted_by_status_and_all_listed():
    result = sample_result()
    text = Reader(written([result])).text
    assert "3 assumed, 2 published, 1 derived, 1 given parameters" in re.sub(r"\s*,\s*", ", ", text)
    for assumption in result.assumptions:
        assert assumption.parameter.split(".", 1)[1] in text
        assert assumption.source in text


def test_a_parameter_that_the_runs_do_not_share_says_whose_it_is():
    own = Assumption(parameter="recipe", value="sdgp", status="published", source="its paper")
    one, other = sample_result("bdwp"), sample_result("sdgp")
    other = dataclasses.replace(other, assumptions=(*other.assumptions, own))
    text = Reader(written([one, other])).text
    assert "recipe (sdgp 2:8)" in text
    assert text.count("hardware.clock_hz") <= 1


def test_inputs_stand_with_their_hashes_and_the_command_beside_them():
    result = sample_result()
    text = Reader(written([result])).text
    assert COMMAND in text
    for source in result.inputs.values():
        assert source.sha256 in text


def test_the_library_is_embedded_once_and_its_python_side_is_not_imported():
    whole = page([sample_result("dense"), sample_result("bdwp")], command=COMMAND)
    assert whole.count(plotly_library()) == 1
    assert len(whole) < 2_000_000
    code = "import sys, bisparse.reports; print({'plotly', 'jinja2', 'pandas', 'rich'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_a_page_is_made_in_a_fraction_of_a_second():
    result = sample_result()
    page([result], command=COMMAND)
    start = time.perf_counter()
    page([result], command=COMMAND)
    assert time.perf_counter() - start < 0.4
