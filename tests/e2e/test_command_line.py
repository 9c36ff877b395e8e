"""The command line as a user meets it: what it prints, where, and with which exit code."""

import gzip
import json

import pytest
from bisparse.configs.needs import install_line
from typer.main import get_command

from bisparse.command_line import app

SMALL = "resnet9-cifar10"


# simulate and compare ------------------------------------------------------------------------------------------------


def test_simulate_prints_a_summary_and_writes_a_run(run, tmp_path):
    done = run("simulate", SMALL, "--batch", 16, "--out", "runs/one")
    assert done.code == 0
    assert "as fast as dense" in " ".join(done.out.split())
    assert done.out.rstrip().endswith("report: runs/one/report.html")
    directory = tmp_path / "runs" / "one"
    for name in ("result.json", "operators.csv", "report.html", "report.md"):
        assert (directory / name).stat().st_size > 0, name
    assert (directory / "command.txt").read_text() == f"bisparse simulate {SMALL} --batch 16 --out runs/one\n"


def test_simulate_as_json_is_one_document_with_the_promised_keys(run):
    done = run("simulate", SMALL, "--batch", 16, "--json", "--out", "run")
    document = done.document
    promised = {
        "schema_version",
        "bisparse_version",
        "inputs",
        "batch",
        "sparsity",
        "engine",
        "total_cycles",
        "step_seconds",
        "energy_joules",
        "dram_read_bytes",
        "dram_write_bytes",
        "useful_macs",
        "issued_macs",
        "array_utilisation",
        "speedup_vs_dense",
        "energy_ratio_vs_dense",
        "flop_bound_speedup",
        "by_stage",
        "by_scope",
        "stalls",
        "energy_by_component",
        "operators",
        "assumptions",
        "memory",
        "on_chip",
    }
    assert promised <= set(document)
    assert set(document["by_stage"]) == {"FF", "BP", "WU", "update", "reduction", "vector"}
    assert set(document["by_scope"]) == {"gemm", "step"}
    assert sum(document["by_stage"].values()) == document["total_cycles"]
    assert sum(document["stalls"].values()) == document["total_cycles"]
    for name in ("hardware", "workload", "recipe"):
        assert set(document["inputs"][name]) == {"name", "sha256"}
    assert {"parameter", "value", "status", "source"} <= set(document["assumptions"][0])
    assert document["sparsity"] == "2:8"
    memory = document["memory"]
    assert memory["fits"]
    assert memory["largest_batch"] > 16
    assert sum(memory["by_category"].values()) == memory["peak_bytes"] <= memory["capacity_bytes"]
    assert "report: run/report.html" in done.err


def test_options_reach_the_simulation(run):
    def asked(*options):
        return run("simulate", SMALL, "--batch", 16, "--json", *options).document

    plain = asked()
    assert asked("--optimizer", "adam")["dram_read_bytes"] > plain["dram_read_bytes"]
    assert asked("--no-overlap-update")["total_cycles"] > plain["total_cycles"]
    unkept = asked("--no-keep-on-chip")
    assert unkept["on_chip"] == {"tensors": 0, "saved_bytes": 0}
    assert unkept["dram_read_bytes"] + unkept["dram_write_bytes"] == (
        plain["dram_read_bytes"] + plain["dram_write_bytes"] + plain["on_chip"]["saved_bytes"]
    )
    assert asked("--hardware", "systolic-textbook", "--recipe", "dense", "--keep-on-chip")["on_chip"]["tensors"] > 0
    assert asked("--objective", "energy")["objective"] == "energy"
    assert asked("--recipe", "sr-ste", "--sparsity", "2:4")["sparsity"] == "2:4"
    assert asked("--hardware", "edge-16x16")["inputs"]["hardware"]["name"] == "edge-16x16"
    online = asked("--no-pre-generation")
    assert online["useful_macs"] == plain["useful_macs"]
    assert online["dram_read_bytes"] > plain["dram_read_bytes"]
    one_at_a_time = asked("--no-interleave")
    assert one_at_a_time["stalls"]["bubble"] > plain["stalls"]["bubble"]
    assert one_at_a_time["dense"]["total_cycles"] > plain["dense"]["total_cycles"]
    assert asked("--interleave") == plain


def test_a_step_that_the_card_cannot_hold_is_simulated_with_a_warning(run):
    largest = run("simulate", SMALL, "--batch", 16, "--json").document["memory"]["largest_batch"]
    fitting, over = run("simulate", SMALL, "--batch", largest), run("simulate", SMALL, "--batch", largest + 1)
    assert (fitting.code, over.code) == (0, 0)
    assert "does not fit" not in fitting.out
    said = " ".join(over.out.split())
    assert "Warning: the step does not fit: needs " in said
    assert f"; the largest batch that fits is {largest:,}." in said


def test_n_equal_to_m_is_the_dense_step(run):
    same = run("simulate", SMALL, "--batch", 16, "--sparsity", "8:8", "--json").document
    dense = run("simulate", SMALL, "--batch", 16, "--recipe", "dense", "--json").document
    assert same["useful_macs"] == dense["useful_macs"]
    assert same["flop_bound_speedup"] == 1


def test_compare_sets_recipes_side_by_side(run):
    document = run("compare", SMALL, "--recipes", "dense, sr-ste,bdwp", "--batch", 16, "--json").document
    assert list(document) == ["results", "splits"]
    results = document["results"]
    assert [(each["result"], each["of"], each["kind"]) for each in document["splits"]] == [
        (0, "step", "baseline"),
        (1, "step", "N:M training"),
        (2, "step", "N:M training"),
    ]
    assert [result["inputs"]["recipe"]["name"] for result in results] == ["dense", "sr-ste", "bdwp"]
    assert results[0]["speedup_vs_dense"] == 1
    assert 1 < results[1]["speedup_vs_dense"] < results[2]["speedup_vs_dense"]
    one = run("compare", SMALL, "--recipes", "bdwp", "--batch", 16, "--json").document
    assert len(one["results"]) == 1
    table = run("compare", SMALL, "--recipes", "dense,bdwp", "--batch", 16)
    assert (table.code, table.err) == (0, "")
    assert "bdwp 2:8" in table.out


def test_each_recipe_has_its_usual_ratio_or_its_own(run):
    asked = ("compare", SMALL, "--recipes", "bdwp,slope@2:8,rigl,dense", "--batch", 16, "--sparsity", "usual")
    document = run(*asked, "--json").document
    assert [result["sparsity"] for result in document["results"]] == ["2:8", "2:8", "80%", "dense"]
    said = run(*asked).out
    assert said.index("N:M training\n  bdwp 2:8") < said.index("Dynamic sparse training\n  rigl 80%")
    several = run(
        "compare", SMALL, "--recipes", "bdwp", "--batch", 16, "--sparsity", "usual,2:4,2:8", "--json"
    ).document
    assert [result["sparsity"] for result in several["results"]] == ["2:8", "2:4"]


def test_a_ratio_behind_a_recipe_must_be_one_and_be_needed(run):
    wrong = run("compare", SMALL, "--recipes", "bdwp@often")
    assert (wrong.code, "got 'often', need N:M" in wrong.err) == (2, True)
    needless = run("compare", SMALL, "--recipes", "dense@2:8")
    assert "recipes: got dense@2:8, but dense prunes to no ratio, need none; try dense" in needless.err


def test_a_report_is_rendered_again(run, tmp_path):
    run("simulate", SMALL, "--batch", 16, "--out", "run")
    page = tmp_path / "run" / "report.html"
    before = page.read_bytes()
    page.unlink()
    done = run("report", "run")
    assert (done.code, done.out) == (0, "report: run/report.html\n")
    assert page.read_bytes() == before


def test_open_shows_the_report(run, monkeypatch):
    shown = []
    monkeypatch.setattr("webbrowser.open", shown.append)
    assert run("simulate", SMALL, "--batch", 16, "--open").code == 0
    (address,) = shown
    assert address.startswith("file://")
    assert address.endswith("/report.html")


@pytest.mark.parametrize("interleave", ["--interleave", "--no-interleave"])
def test_a_saved_schedule_is_replayed(run, interleave):
    searched = run(
        "simulate", SMALL, "--batch", 16, "--optimizer", "adam", interleave, "--save-schedule", "s.json", "--json"
    ).document
    replayed = run("simulate", SMALL, "--schedule", "s.json", "--json").document
    for each in (searched, replayed):
        del each["candidates"]
        for row in each["operators"]:
            del row["candidates"]
    assert replayed == searched
    other = run("simulate", SMALL, "--schedule", "s.json", "--batch", 8)
    assert other.code == 2
    assert other.err == "s.json:7: batch: got a schedule made for 16, need one for 8; try saving one for these inputs\n"
    (contrary,) = {"--interleave", "--no-interleave"} - {interleave}
    assert "interleave: got a schedule made for" in run("simulate", SMALL, "--schedule", "s.json", contrary).err


def test_a_schedule_is_shown(run):
    done = run("simulate", SMALL, "--batch", 16, "--show-schedule")
    assert done.out.startswith("product")
    assert "0.0:FF" in done.out


# validate ------------------------------------------------------------------------------------------------------------


def test_validate_prints_the_agreement_table(run):
    done = run("validate", "--gemms", 5, "--tilings", 5, "--schedules", 2, "--no-torch", "--seed", 3)
    assert done.code == 0
    header, *rows, verdict = done.out.splitlines()
    assert header.split() == ["check", "cases", "mismatches", "seconds"]
    assert len(rows) == 10
    assert "torch is not used" in rows[-1]
    assert verdict == "all agree; repeat with --seed 3"


def test_validate_draws_a_fresh_seed(run):
    nothing = ("validate", "--gemms", 0, "--tilings", 0, "--schedules", 0, "--no-torch", "--json")
    seeds = {run(*nothing).document["seed"] for _ in range(3)}
    assert len(seeds) == 3


def test_validate_fails_on_a_mismatch(run, monkeypatch):
    monkeypatch.setattr("bisparse.sim.witness.validation.check_tiling", lambda case: "off by one")
    done = run("validate", "--gemms", 0, "--tilings", 7, "--schedules", 0, "--no-torch")
    assert done.code == 1
    assert done.out.count("MISMATCH: loop-nest walk, random tilings and orders: off by one") == 5
    assert "2 more" in done.out
    assert "there are mismatches" in done.out


# Shipped files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name"), [("hardware", "sat-vcu1525"), ("workloads", "resnet9-cifar10"), ("recipes", "bdwp")]
)
def test_shipped_files_are_listed_and_shown(run, kind, name):
    table = run(kind, "list")
    assert (table.code, table.err) == (0, "")
    assert name in table.out
    names = [each["name"] for each in run(kind, "list", "--json").document[kind]]
    assert name in names
    assert names == sorted(names)
    assert name in run(kind, "show", name).out
    assert run(kind, "show", name, "--json").document["name"] == name


def test_a_design_is_shown_with_the_source_of_its_numbers(run):
    shown = run("hardware", "show", "edge-16x16").out
    (line,) = (line for line in shown.splitlines() if line.startswith("tensor_engine.rows"))
    assert line.split()[:2] == ["tensor_engine.rows", "16"]
    assert "  assumed  " in line
    document = run("hardware", "show", "edge-16x16", "--json").document
    assert document["values"]["tensor_engine"]["rows"] == 16
    assert document["provenance"]["tensor_engine.rows"]["status"] == "assumed"


def test_a_design_is_shown_with_what_it_leaves_open(run):
    lines = run("hardware", "show", "sat-vcu1525").out.splitlines()
    cells = {line.split("  ")[0]: " ".join(line.split()) for line in lines}
    assert cells["tensor_engine.rows"].startswith("tensor_engine.rows 32 16 to 64 assumed")
    assert cells["tensor_engine.overlapped"].startswith("tensor_engine.overlapped true true or false assumed")
    port = "buffers.west.port_bytes_per_cycle"
    assert cells[port].startswith(f"{port} 256 128 to 512; as tensor_engine.rows assumed")
    assert cells["buffers.west.banks"].startswith("buffers.west.banks 32 8 to 128 assumed")
    known = run("hardware", "show", "sat-vcu1525", "--json").document["provenance"]
    assert known["clock_hz"]["range"] == ["150 MHz", "300 MHz"]
    assert known["tensor_engine.rows"]["scales"] == [port]
    assert known["reduction_engine.largest_group"]["fixed"] == "says which ratios run, not how fast"
    assert "range" not in known["reduction_engine.largest_group"]


def test_a_users_file_is_checked(run, tmp_path):
    (tmp_path / "mine.yaml").write_text("name: mine\nextends: sat-vcu1525\n")
    assert run("hardware", "check", "mine.yaml").out == "ok: mine\n"
    (tmp_path / "wider.yaml").write_text("name: wider\nextends: sat-vcu1525\ntensor_engine: {rowz: 64, cols: x}\n")
    done = run("hardware", "check", "wider.yaml")
    assert done.code == 2
    assert set(done.err.splitlines()) == {
        "wider.yaml:3: tensor_engine.rowz: got rowz, need a known field; try rows",
        "wider.yaml:3: tensor_engine.cols: got 'x', need an integer",
    }
    # A word without a suffix is a file here, never the shipped design of that name.
    assert run("hardware", "check", "sat-vcu1525").err.startswith("sat-vcu1525: got no such file")
    (tmp_path / "method.yaml").write_text("name: mine\nextends: bdwp\n")
    assert run("recipes", "check", "method.yaml").out == "ok: mine\n"


def test_the_bursts_of_an_operator_are_written_with_their_addresses(run, tmp_path):
    asked = ("trace", SMALL, "0.0:FF", "--batch", 1, "--recipe", "dense", "--hardware", "sat-vcu1525-timed")
    operator = asked[2]
    done = run(*asked, "--out", "conv.trace.gz")
    assert done.code == 0, done.err
    lines = gzip.decompress((tmp_path / "conv.trace.gz").read_bytes()).decode().splitlines()
    assert f"{len(lines):,} bursts of 64 bytes" in done.out
    beside = json.loads((tmp_path / "conv.trace.gz.map.json").read_text())
    # At batch 1 the result stays on chip, and so has no address.
    assert [each["name"] for each in beside["tensors"]] == [f"{operator} A", f"{operator} B"]
    assert (beside["bursts"], beside["cut"]) == (len(lines), False)
    few = run(*asked, "--out", "few", "--limit", 5, "--format", "dramsim3", "--json").document
    assert (few["bursts"], few["cut"], few["format"]) == (5, True, "dramsim3")
    assert (tmp_path / "few").read_text().splitlines()[0] == "0x0 READ 0"


# capture -------------------------------------------------------------------------------------------------------------


def test_capture_without_torch_says_how_to_get_it(run, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = run("capture", "mymodel:net", "--input", "3x8x8")
    assert done.code == 2
    assert done.err == f"capture: got no torch, need it installed; try {install_line('torch')}\n"


def test_a_captured_module_is_a_workload(run, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setenv("BISPARSE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "tiny_model_of_this_test.py").write_text(
        "import torch\ndef net():\n    return torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.Linear(32, 8))\n"
    )
    asked = ("capture", "tiny_model_of_this_test:net", "--input", "64", "--batch", 4, "--out", "made/tiny.json")
    done = run(*asked)
    assert done.code == 0, done.err
    assert done.out.rstrip().endswith("graph: made/tiny.json")
    first = (tmp_path / "made" / "tiny.json").read_bytes()
    assert run("workloads", "check", "made/tiny.json").out.startswith("ok: net, ")
    assert run("simulate", "made/tiny.json", "--json").document["batch"] == 4
    assert run(*asked).code == 0
    assert run(*asked, "--no-cache").code == 0
    assert (tmp_path / "made" / "tiny.json").read_bytes() == first


def test_every_command_that_takes_hardware_changes_its_fields():
    def options(command):
        return {word for parameter in command.params for word in parameter.opts}

    parser = get_command(app)
    takers = [command for command in parser.commands.values() if "--hardware" in options(command)]
    assert len(takers) >= 7
    assert [command.name for command in takers if "--set" not in options(command)] == []


def test_a_changed_design_is_repeated_by_the_command_of_the_run(run, tmp_path):
    words = ("simulate", "resnet9-cifar10", "--batch", "4", "--set", "vector_engine.lanes=64", "--json")
    found = run(*words, "--set", "tensor_engine.mac_latency=4", "--out", "made")
    assert found.code == 0, found.err
    assert found.document["inputs"]["hardware"]["name"].endswith("tensor_engine.mac_latency=4")
    command = (tmp_path / "made" / "command.txt").read_text()
    assert "--set vector_engine.lanes=64 --set tensor_engine.mac_latency=4" in command
    assert {
        "parameter": "hardware.vector_engine.lanes",
        "value": 64,
        "status": "given",
        "source": "--set vector_engine.lanes=64",
    } in found.document["assumptions"]


# quiet ---------------------------------------------------------------------------------------------------------------


def test_quiet_keeps_remarks_back_for_one_command(run):
    asked = ("simulate", "resnet9-cifar10", "--batch", 8, "--save-schedule")
    assert run("--quiet", *asked, "a.json").err == ""
    assert run(*asked, "b.json").err == "schedule: b.json\n"


def test_a_design_is_shown_in_the_width_that_there_is(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    lines = run("hardware", "show", "sat-vcu1525").out.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("parameter"))
    assert max(map(len, lines[begin:])) <= 100
