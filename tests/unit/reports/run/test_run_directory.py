import csv
import json
from pathlib import Path

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.dataflow.cycle_causes import CYCLE_CAUSES
from bisparse.reports import read_run, write_run
from bisparse.reports.run.directory import RUN, compared_document
from bisparse.sim.results.simulation_result import SimulationResult

from .sample import sample_result

COMMAND = "bisparse simulate resnet18-tinyimagenet --recipe bdwp"


def test_a_document_read_again_is_the_result_that_made_it():
    result = sample_result()
    assert SimulationResult.from_document(json.loads(json.dumps(result.document()))) == result


def test_a_run_read_again_is_the_run_that_was_written(tmp_path):
    one, several = [sample_result()], [sample_result("dense"), sample_result("sr-ste"), sample_result("bdwp")]
    for name, results in (("one", one), ("several", several)):
        write_run(results, tmp_path / name, command=COMMAND)
        assert read_run(tmp_path / name) == results


def test_the_json_is_the_document_itself_or_a_list_of_documents(tmp_path):
    one, two = sample_result("bdwp"), sample_result("sdgp")
    write_run([one], tmp_path / "one", command=COMMAND)
    write_run([one, two], tmp_path / "two", command=COMMAND)
    assert json.loads((tmp_path / "one" / "result.json").read_text()) == one.document()
    both = json.loads((tmp_path / "two" / "result.json").read_text())
    assert both == compared_document([one, two])
    assert both["results"] == [one.document(), two.document()]


def test_the_path_returned_is_the_page_and_nothing_else_is_left_behind(tmp_path):
    page = write_run([sample_result()], tmp_path / "new" / "run", command=COMMAND)
    assert page == tmp_path / "new" / "run" / "report.html"
    written = sorted(path.name for path in page.parent.iterdir())
    assert written == ["operators.csv", "report.html", "report.md", "result.json"]


def test_a_write_that_fails_leaves_the_old_file_whole(tmp_path, monkeypatch):
    write_run([sample_result("sr-ste")], tmp_path, command=COMMAND)
    before = (tmp_path / "result.json").read_bytes()

    def full_disk(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full_disk)
    with pytest.raises(ConfigError, match="No space left on device"):
        write_run([sample_result("bdwp")], tmp_path, command=COMMAND)
    assert (tmp_path / "result.json").read_bytes() == before


def test_the_csv_has_a_row_for_each_operator_of_each_run_the_recipe_first(tmp_path):
    results = [sample_result("dense"), sample_result("bdwp")]
    write_run(results, tmp_path, command=COMMAND)
    rows = list(csv.DictReader((tmp_path / "operators.csv").open()))
    assert next(iter(rows[0])) == "recipe"
    assert [(row["recipe"], row["name"], int(row["cycles"])) for row in rows] == [
        (result.inputs["recipe"].name, row.name, row.cycles) for result in results for row in result.rows
    ]


def test_the_csv_says_the_unit_of_every_figure_in_the_name_of_its_column(tmp_path):
    result = sample_result()
    write_run([result], tmp_path, command=COMMAND)
    rows = list(csv.DictReader((tmp_path / "operators.csv").open()))
    figures = {name for row in rows for name, value in row.items() if value.replace(".", "", 1).isdigit()}
    units = ("cycles", "_macs", "_bytes", "_joules", "_utilisation", "candidates")
    assert {name for name in figures if not name.endswith(units)} == set()
    for row, operator in zip(rows, result.rows, strict=True):
        causes = {cause: int(row.get(f"cause_{cause}_cycles") or 0) for cause in CYCLE_CAUSES}
        assert sum(causes.values()) == int(row["cycles"])
        assert int(row["buffer_west_bytes"]) == operator.buffer_bytes.get("west", 0)
        assert float(row["energy_joules"]) == operator.energy_joules


def test_a_figure_that_the_dense_step_lacks_is_an_empty_cell(tmp_path):
    write_run([sample_result()], tmp_path, command=COMMAND)
    rows = csv.DictReader((tmp_path / "operators.csv").open())
    assert {row["dense_cycles"] for row in rows if row["stage"] == "reduction"} == {""}


def _spoilt(tmp_path, text):
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_run(tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(str(tmp_path), "RUN")


def test_a_directory_without_a_result_is_refused_and_the_message_says_what_to_give(tmp_path):
    with pytest.raises(ConfigError) as caught:
        read_run(tmp_path / "absent")
    message = str(caught.value).replace(str(tmp_path), "RUNS")
    assert message == (
        "RUNS/absent: got no readable result.json, need the directory of an earlier run; "
        "try one that bisparse simulate wrote"
    )


def test_a_product_that_no_array_worked_on_is_refused(tmp_path):
    document = sample_result().document()
    at, row = next((at, row) for at, row in enumerate(document["operators"]) if row["useful_macs"])
    row["array_utilisation"] = 0
    said = _spoilt(tmp_path, json.dumps(document))
    assert said.startswith(f"RUN/result.json: operators.{at}.array_utilisation: got 0, need a number > 0")


def test_a_result_of_a_newer_bisparse_is_refused(tmp_path):
    document = {**sample_result().document(), "schema_version": 2}
    assert _spoilt(tmp_path, json.dumps(document)) == (
        "RUN/result.json: schema_version: got 2, need 1 or older; try a newer bisparse"
    )
    assert "got 2, need 1" in _spoilt(tmp_path, json.dumps({"results": [sample_result().document(), document]}))


def test_broken_json_is_refused_with_its_line(tmp_path):
    assert _spoilt(tmp_path, '{"schema_version": 1,\n"inputs": }').startswith("RUN/result.json:2: got broken JSON")


@pytest.mark.parametrize("text", ["[]", "3", "{}", '{"results": []}', '{"results": 3}', '{"results": [3]}'])
def test_json_that_is_no_result_is_refused(tmp_path, text):
    assert _spoilt(tmp_path, text).startswith("RUN/result.json: ")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": None}, "inputs: got nothing, need an object"),
        ({"inputs": {}}, "inputs.hardware: got nothing, need this field"),
        ({"unheard_of": 1}, "unheard_of: got an unknown field, need one of bisparse_version, inputs"),
        ({"timeline": 1}, "timeline: got an unknown field, need one of "),
        ({"operators": [{"name": "alone"}]}, "operators.0.module: got nothing, need this field"),
        ({"operators": [3]}, "operators.0: got 3, need an object"),
        ({"total_cycles": "1159"}, "total_cycles: got '1159', need an integer of at least 0"),
        ({"total_cycles": -1}, "total_cycles: got -1, need an integer of at least 0"),
        ({"total_cycles": True}, "total_cycles: got true, need an integer of at least 0"),
        ({"clock_hz": float("nan")}, "clock_hz: got nan, need a finite number"),
        ({"clock_hz": 10**400}, "got an integer of 401 digits, need at most 30"),
        ({"stalls": {"north": [1]}}, "stalls.north: got a list of 1, need an integer of at least 0"),
        ({"by_scope": {"step": 3}}, "by_scope.step: got 3, need an object"),
        ({"memory": {"peak_bytes": 1}}, "memory.peak_operator: got nothing, need this field"),
        ({"notes": [3]}, "notes.0: got 3, need a text"),
        ({"schema_version": "1"}, "schema_version: got '1', need 1"),
        ({"flop_bound_speedup": 0}, "flop_bound_speedup: got 0, need a number > 0"),
        ({"flop_bound_speedup": -1.5}, "flop_bound_speedup: got -1.5, need a number > 0"),
        ({"peak_macs_per_cycle": 0}, "peak_macs_per_cycle: got 0, need a number > 0"),
        ({"dram_bytes_per_cycle": -1}, "dram_bytes_per_cycle: got -1, need a number > 0"),
        ({"useful_macs": 0}, "useful_macs: got 0, need a number > 0"),
    ],
)
def test_a_result_with_a_wrong_field_is_refused_by_its_name(tmp_path, change, message):
    said = _spoilt(tmp_path, json.dumps({**sample_result().document(), **change}))
    assert said.startswith(f"RUN/result.json: {message}")


def test_a_stage_that_no_step_has_is_refused_in_whichever_result_it_stands(tmp_path):
    document = sample_result().document()
    rows = [*document["operators"][:2], {**document["operators"][2], "stage": "XX"}]
    several = {"results": [document, {**document, "operators": rows}]}
    assert _spoilt(tmp_path, json.dumps(several)).startswith(
        "RUN/result.json: results.1.operators.2.stage: got 'XX', need one of FF, BP, WU"
    )


def test_a_directory_that_cannot_be_made_is_a_users_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="got a file in its place, need a directory"):
        write_run([sample_result()], tmp_path / "file" / "run", command=COMMAND)


@pytest.mark.parametrize("way", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_run_that_cannot_be_written_leaves_every_file_of_the_earlier_one(tmp_path, monkeypatch, way):
    RUN.write([sample_result("sr-ste")], tmp_path, command="the earlier", keep_command=True)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write = Path.write_bytes

    def full(self, content):
        if b"<html" in content[:200]:
            write(self, content[:9])
            raise way
        return write(self, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises((ConfigError, KeyboardInterrupt)):
        RUN.write([sample_result("bdwp")], tmp_path, command="the new", keep_command=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_new_run_takes_away_what_only_the_earlier_one_had(tmp_path):
    RUN.write([sample_result()], tmp_path, command="the earlier", keep_command=True)
    (tmp_path / "timeline-dense.json.gz").write_bytes(b"of the earlier one")
    (tmp_path / "mine.txt").write_text("of the user")
    RUN.again(tmp_path, command=COMMAND, version="", told=print)
    assert {"timeline-dense.json.gz", "command.txt"} < {path.name for path in tmp_path.iterdir()}
    write_run([sample_result()], tmp_path, command=COMMAND)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["mine.txt", "operators.csv", "report.html", "report.md", "result.json"]
