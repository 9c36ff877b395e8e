"""The command line as a user meets it: what it prints, where, and with which exit code."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bisparse.command_line import main

GOLDEN = Path(__file__).parents[1] / "golden" / "scalesim-dense-gemm.csv"
SMALL = "resnet9-cifar10"


class Run:
    """What one command line left behind."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def document(self):
        """Standard output as the one JSON document that it must be."""
        return json.loads(self.out)


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Runs command lines in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def command_line(*arguments):
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Run(left.value.code, printed.out, printed.err)

    return command_line


def in_process_of_its_own(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "bisparse", *map(str, arguments)], capture_output=True, text=True, timeout=60, **options
    )


# The process ---------------------------------------------------------------------------------------------------------


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from bisparse.command_line import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit as left:\n    code = left.code\n"
        "print({'numpy', 'pydantic', 'yaml', 'pandas', 'plotly', 'rich', 'torch'} & set(sys.modules), code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set() 0"


def test_help_is_quick():
    def processor_seconds():
        # Not of the wall clock, which other processes share.
        before = os.times()
        assert in_process_of_its_own("--help").returncode == 0
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    assert min(processor_seconds() for _ in range(3)) < 0.5


def test_simulating_a_shipped_workload_needs_no_torch(tmp_path):
    code = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from bisparse.command_line import main\n"
        f"main(['simulate', '{SMALL}', '--batch', '8', '--out', 'run'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "report.html").is_file()


def test_a_mistake_leaves_one_line_and_exit_code_2(tmp_path):
    done = in_process_of_its_own("simulate", SMALL, "--hardware", "none.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "none.yaml: got no such file, need a path to a file of hardware\n"


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupt_leaves_exit_code_130_and_no_traceback():
    process = subprocess.Popen(
        [sys.executable, "-m", "bisparse", "validate", "--gemms", "1000000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    # Long enough that the checks have begun; they take minutes.
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_full_disk_is_no_traceback():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "bisparse", "recipes", "list"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_seen_enough_is_no_error():
    command = f"{sys.executable} -m bisparse gemm --from {GOLDEN} --hardware systolic-textbook | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("rows,cols,dataflow")
    assert done.stderr == ""


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
    assert "report: run/report.html" in done.err


def test_options_reach_the_simulation(run):
    def asked(*options):
        return run("simulate", SMALL, "--batch", 16, "--json", *options).document

    plain = asked()
    assert asked("--optimizer", "adam")["dram_read_bytes"] > plain["dram_read_bytes"]
    assert asked("--no-overlap-update")["total_cycles"] > plain["total_cycles"]
    assert asked("--objective", "energy")["objective"] == "energy"
    assert asked("--recipe", "sr-ste", "--sparsity", "2:4")["sparsity"] == "2:4"
    assert asked("--hardware", "edge-16x16")["inputs"]["hardware"]["name"] == "edge-16x16"
    online = asked("--no-pre-generation")
    assert online["useful_macs"] == plain["useful_macs"]
    assert online["dram_read_bytes"] > plain["dram_read_bytes"]


def test_n_equal_to_m_is_the_dense_step(run):
    same = run("simulate", SMALL, "--batch", 16, "--sparsity", "8:8", "--json").document
    dense = run("simulate", SMALL, "--batch", 16, "--recipe", "dense", "--json").document
    assert same["useful_macs"] == dense["useful_macs"]
    assert same["flop_bound_speedup"] == 1


def test_compare_sets_recipes_side_by_side(run):
    document = run("compare", SMALL, "--recipes", "dense, sr-ste,bdwp", "--batch", 16, "--json").document
    assert list(document) == ["results"]
    results = document["results"]
    assert [result["inputs"]["recipe"]["name"] for result in results] == ["dense", "sr-ste", "bdwp"]
    assert results[0]["speedup_vs_dense"] == 1
    assert 1 < results[1]["speedup_vs_dense"] < results[2]["speedup_vs_dense"]
    one = run("compare", SMALL, "--recipes", "bdwp", "--batch", 16, "--json").document
    assert len(one["results"]) == 1
    table = run("compare", SMALL, "--recipes", "dense,bdwp", "--batch", 16)
    assert (table.code, table.err) == (0, "")
    assert "bdwp 2:8" in table.out


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


def test_a_saved_schedule_is_replayed(run):
    searched = run(
        "simulate", SMALL, "--batch", 16, "--optimizer", "adam", "--save-schedule", "s.json", "--json"
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


def test_a_schedule_is_shown(run):
    done = run("simulate", SMALL, "--batch", 16, "--show-schedule")
    assert done.out.startswith("product")
    assert "0.0:FF" in done.out


# gemm ----------------------------------------------------------------------------------------------------------------


def test_gemm_gives_the_array_alone_and_the_mapped_time(run):
    document = run("gemm", "512x512x4096", "--sparsity", "2:8", "--dataflow", "ws", "--json").document
    assert document["useful_macs"] == 512 * 512 * 1024
    assert document["array"]["dataflow"] == document["mapped"]["dataflow"] == "ws"
    assert document["array"]["cycles"] < document["mapped"]["cycles"]
    assert document["mapped"]["utilisation"] <= 1
    table = run("gemm", "512x512x4096")
    assert "array alone" in table.out
    assert "utilisation" in table.out


def test_gemm_from_a_list_gives_scalesims_count_and_one(run):
    done = run("gemm", "--from", GOLDEN, "--hardware", "systolic-textbook")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert len(rows) == 357
    for row in rows:
        assert int(row["array_cycles"]) == int(row["scalesim_total_cycles"]) + 1
        assert 0 < float(row["array_utilisation"]) <= 1
    as_json = run("gemm", "--from", GOLDEN, "--hardware", "systolic-textbook", "--json").document
    assert len(as_json["rows"]) == 357


def test_a_bad_row_gives_no_half_of_an_answer(run, tmp_path):
    (tmp_path / "list.csv").write_text("rows,cols,dataflow,M,N,K\n8,8,os,1,1,1\n8,8,os,1,x,1\n")
    done = run("gemm", "--from", "list.csv")
    assert (done.code, done.out) == (2, "")
    assert done.err == "list.csv:3: N: got 'x', need a positive integer\n"


# validate ------------------------------------------------------------------------------------------------------------


def test_validate_prints_the_agreement_table(run):
    done = run("validate", "--gemms", 5, "--tilings", 5, "--no-torch", "--seed", 3)
    assert done.code == 0
    header, *rows, verdict = done.out.splitlines()
    assert header.split() == ["check", "cases", "mismatches", "seconds"]
    assert len(rows) == 5
    assert "torch is not used" in rows[-1]
    assert verdict == "all agree; repeat with --seed 3"


def test_validate_draws_a_fresh_seed(run):
    seeds = {run("validate", "--gemms", 0, "--tilings", 0, "--no-torch", "--json").document["seed"] for _ in range(3)}
    assert len(seeds) == 3


def test_validate_fails_on_a_mismatch(run, monkeypatch):
    monkeypatch.setattr("bisparse.sim.validation.check_tiling", lambda case: "off by one")
    done = run("validate", "--gemms", 0, "--tilings", 7, "--no-torch")
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
    assert line.split()[:3] == ["tensor_engine.rows", "16", "assumed"]
    document = run("hardware", "show", "edge-16x16", "--json").document
    assert document["values"]["tensor_engine"]["rows"] == 16
    assert document["provenance"]["tensor_engine.rows"]["status"] == "assumed"


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


# Bad input -----------------------------------------------------------------------------------------------------------

DESIGN = "name: mine\nextends: sat-vcu1525\n"
LACKING_TABLE = """\
name: lacking
technology: "a sketch"
node_nm: 7
multiply_pj: {fp16: 1}
accumulate_pj: {fp32: 1}
register_pj_per_bit: 1
link_hop_pj_per_bit: 1
sram: [{capacity_bytes: 1 KiB, read_pj_per_bit: 1, write_pj_per_bit: 1, leakage_mw: 1}]
dram_pj_per_bit: {ddr4: 1}
compare_pj: 1
vector_op_pj: 1
update_multiply_pj: 1
update_accumulate_pj: 1
pe_leakage_mw: 1
static_watts: 1
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tensor_engine:\n  rowz: 32\n", "mine.yaml:4: tensor_engine.rowz: got rowz, need a known field; try rows"),
        ("tensor_engine:\n  rows: many\n", "mine.yaml:4: tensor_engine.rows: got 'many', need an integer"),
        (
            "tensor_engine:\n  rows: 32\n  rows: 16\n",
            "mine.yaml:5: tensor_engine.rows: got a key already given on line 4, need it once",
        ),
        ("tensor_engine:\n  rows: -4\n", "mine.yaml:4: tensor_engine.rows: got -4, need a number > 0"),
        ("tensor_engine:\n  patterns: ['9:8']\n", "mine.yaml:4: tensor_engine.patterns.0: got 9:8, need N:M with"),
        (
            "buffers:\n  west:\n    capacity_bytes: 64\n",
            "mine.yaml:5: mine: no tile of 0.0:FF fits: buffers.west.capacity_bytes: got 64, need at least",
        ),
        ("tensor_engine:\n  patterns: ['2:4']\n", "mine.yaml:4: sparsity: got 2:8, need one that mine has: 2:4"),
        ("reduction_engine:\n  largest_group: 4\n", "mine.yaml:4: 1.0:FF: got groups of 8, need at most 4"),
        (
            "energy_table: 7nm\n",
            "mine.yaml:3: energy_table: got '7nm', need one of 16nm-fpga, 45nm or a path to a file",
        ),
        ("energy_table: 7nm.yaml\n", "mine.yaml:3: energy_table: got no such file, need a path to a file of energy"),
        (
            "dram:\n  technology: hbm9\n",
            "mine.yaml:4: dram.technology: got 'hbm9', need one that energy table 16nm-fpga prices: ddr4, lpddr4, hbm2",
        ),
        (
            "tensor_engine:\n  precision: fp8\nenergy_table: lacking.yaml\n",
            "mine.yaml:4: tensor_engine.precision: got 'fp8', need one that energy table lacking prices: fp16",
        ),
        (
            "buffers:\n  output:\n    capacity_bytes: 1 B\n",
            "mine.yaml:5: buffers.output.capacity_bytes: got 1, need at least a byte in each of the 32 banks",
        ),
        (
            "tensor_engine:\n  mac_latency: 2\n",
            "mine.yaml:4: tensor_engine.accumulate_latency: got 4 (of ",
        ),
        (
            "tensor_engine:\n  tensor_engin: 2\n",
            "mine.yaml:4: tensor_engine.tensor_engin: got tensor_engin, need one of rows, cols, mac_latency",
        ),
    ],
)
def test_a_fault_in_a_design_is_one_line_with_file_line_and_field(run, tmp_path, text, message):
    (tmp_path / "lacking.yaml").write_text(LACKING_TABLE)
    (tmp_path / "mine.yaml").write_text(DESIGN + text)
    done = run("simulate", SMALL, "--hardware", "mine.yaml")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(message)
    assert len(done.err.splitlines()) == 1


def test_a_missing_price_is_blamed_on_the_design_whoever_asks(run, tmp_path):
    (tmp_path / "mine.yaml").write_text(f"{DESIGN}dram:\n  technology: hbm9\n")
    for command in (("hardware", "check", "mine.yaml"), ("gemm", "8x8x8", "--hardware", "mine.yaml")):
        assert run(*command).err.startswith("mine.yaml:4: dram.technology: got 'hbm9', need one that"), command


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["simulate", "resnet9-cifar"], "workloads: got 'resnet9-cifar', need one of bert-base"),
        (["simulate", "none.json"], "none.json: got no such file, need a path to a file of workloads"),
        (["simulate", "newer.json"], "newer.json:2: schema_version: got 9, made by a newer bisparse, need at most 1"),
        (["simulate", "broken.json"], "broken.json:1: got invalid JSON"),
        (["simulate", SMALL, "--sparsity", "9:8"], "sparsity: got 9:8, need N:M with 1 <= N <= M <= 32; try 2:8"),
        (["simulate", SMALL, "--sparsity", "3:7"], ": sparsity: got 3:7, need one that sat-vcu1525 has: 1:4, 2:4"),
        (["simulate", SMALL, "--batch", "-3"], "--batch: got -3, need at least 1; try 512"),
        (["simulate", SMALL, "--recipe", "bdpw"], "recipes: got 'bdpw', need one of bdwp"),
        (["simulate", SMALL, "--optimizer", "lion"], "optimizer: got 'lion', need one of sgd, sgd-momentum, adam"),
        (["simulate", SMALL, "--objective", "area"], "objective: got 'area', need one of time, energy, energy-delay"),
        (
            ["simulate", SMALL, "--engine", "event"],
            "--engine: got 'event', need analytic: the only engine of this version",
        ),
        (["simulate", SMALL, "--schedule", "none.json"], "none.json: got no such file"),
        (["simulate", SMALL, "--json", "--show-schedule"], "--show-schedule: got it with --json, need one of them"),
        (
            ["simulate", SMALL, "--batch", "8", "--out", "broken.json"],
            "broken.json: got a file in its place, need a directory",
        ),
        (
            ["compare", SMALL, "--recipes", ","],
            "--recipes: got ',', need a name on both sides of a comma; try dense,bdwp",
        ),
        (["gemm", "12x12"], "product: got '12x12', need MxNxK, three positive integers"),
        (["gemm"], "gemm: got both or neither of MxNxK and --from, need one"),
        (["gemm", "8x8x8", "--dataflow", "is"], "dataflow: got is, need one that sat-vcu1525 offers: os, ws"),
        (["gemm", "8x8x8", "--sparsity", "3:7"], "sat-vcu1525.yaml:20: 8x8x8: got sparsity 3:7, need one that"),
        (
            ["gemm", "--from", GOLDEN, "--sparsity", "2:8"],
            "--sparsity: got it with --from, need it in the file's own column",
        ),
        (["gemm", "--from", "none.csv"], "none.csv: got no such file, need a CSV list of products"),
        (["validate", "--gemms", "-1"], "--gemms: got -1, need at least 0; try 1000"),
        (["simulate", SMALL, "--batch", "abc"], "--batch: got 'abc', need a whole number; try 512\n"),
        (["simulate", SMALL, "--batch", "1e9"], "--batch: got '1e9', need a whole number; try 512\n"),
        (["simulate", SMALL, "--batch", "1.5"], "--batch: got '1.5', need a whole number; try 512\n"),
        (["simulate", SMALL, "--batch"], "--batch: got nothing, need a value; try bisparse simulate --help\n"),
        (["simulate", SMALL, "--json=3"], "--json: got a value, need none; try bisparse simulate --help\n"),
        (
            ["simulate", SMALL, "--recipee", "bdwp"],
            "--recipee: got no option of this name, need one of bisparse simulate; try --recipe\n",
        ),
        (["simulate", SMALL, "-b", "3"], "-b: got no option of this name, need one of bisparse simulate; try"),
        (["simulate"], "WORKLOAD: got nothing, need shipped workload (see: bisparse workloads list)"),
        (["capture", "a:b"], "--input: got nothing, need one input without the batch: 3x224x224"),
        (["simulate", SMALL, "more"], "bisparse simulate: got 'more' after its last argument, need nothing there"),
        (["simulat", SMALL], "bisparse: got 'simulat', need one of simulate, compare"),
        (["hardware", "lst"], "bisparse hardware: got 'lst', need one of list, show, check; try list\n"),
        (["validate", "--seed", "abc"], "--seed: got 'abc', need a whole number; try 1\n"),
        (["workloads", "show", SMALL, "--batch", "0"], "--batch: got 0, need at least 1; try 512\n"),
        (["capture", "a:b", "--input", "3", "--batch", "0"], "--batch: got 0, need at least 1; try 32\n"),
        (["gemm", "-1x4x4"], "MxNxK: got '-1x4x4', need a value without a minus; try bisparse gemm --help\n"),
        (["gemm", "--from", "."], ".: got a folder, need a CSV list of products\n"),
        (
            ["compare", SMALL, "--recipes", "dense,,bdwp"],
            "--recipes: got 'dense,,bdwp', need a name on both sides of a comma; try dense,bdwp\n",
        ),
        (["report", "none"], "none: got no readable result.json"),
        (["capture", "nothing:here", "--input", "3xx"], "--input: got '3xx', need positive extents"),
    ],
)
def test_a_mistake_is_one_line(run, tmp_path, arguments, message):
    (tmp_path / "newer.json").write_text('{\n "schema_version": 9\n}')
    (tmp_path / "broken.json").write_text("{")
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert len(done.err.splitlines()) == 1


def test_a_bare_command_shows_its_help(run):
    for arguments in ((), ("hardware",)):
        done = run(*arguments)
        assert done.code == 2
        assert "Usage: bisparse" in done.out + done.err
    assert run("--version").code == 0
    assert run("gemm", "--help").code == 0


def test_help_speaks_of_no_option_that_the_command_lacks(run):
    assert "--out" not in run("report", "--help").out


# capture -------------------------------------------------------------------------------------------------------------


def test_capture_without_torch_says_how_to_get_it(run, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = run("capture", "mymodel:net", "--input", "3x8x8")
    assert done.code == 2
    assert done.err == 'capture: got no torch, need it installed; try pip install "bisparse[torch]"\n'


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
