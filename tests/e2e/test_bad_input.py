"""Mistakes in the input: one line that names file, line, field and what is needed; exit code 2; no traceback."""

import os
import re
from pathlib import Path

import pytest
from bisparse.configs.library import find

GOLDEN = Path(__file__).parents[1] / "golden" / "scalesim-dense-gemm.csv"
SMALL = "resnet9-cifar10"

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
        (
            "tensor_engine:\n  dataflows: [os, rs]\n",
            "mine.yaml:4: tensor_engine.dataflows.1: got 'rs', need one of os, ws, is",
        ),
        ("tensor_engine:\n  patterns: ['9:8']\n", "mine.yaml:4: tensor_engine.patterns.0: got 9:8, need N:M with"),
        (
            "buffers:\n  west:\n    capacity_bytes: 64\n",
            "mine.yaml:5: mine: no tile of 1.0:FF fits: buffers.west.capacity_bytes: got 64, need at least 288",
        ),
        ("tensor_engine:\n  patterns: ['2:4']\n", "mine.yaml:4: sparsity: got 2:8, need one that mine has: 2:4"),
        ("reduction_engine:\n  largest_group: 4\n", "mine.yaml:4: 1.0:FF: got groups of 8, need at most 4"),
        (
            "energy_table: 5nm\n",
            "mine.yaml:3: energy_table: got '5nm', need one of 16nm-fpga, 22nm, 45nm, 7nm or a path to a file",
        ),
        ("energy_table: 5nm.yaml\n", "mine.yaml:3: energy_table: got no such file, need a path to a file of energy"),
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
            "mine.yaml:4: tensor_engine.tensor_engin: got tensor_engin, need one of rows, cols, units,",
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
        (["simulate", SMALL, "--engine", "events"], "engine: got 'events', need one of analytic, event"),
        (["simulate", SMALL, "--schedule", "none.json"], "none.json: got no such file"),
        (["simulate", SMALL, "--json", "--show-schedule"], "--show-schedule: got it with --json, need one of them"),
        (
            ["simulate", SMALL, "--batch", "8", "--out", "broken.json"],
            "broken.json: got a file in its place, need a directory",
        ),
        (
            ["compare", SMALL, "--recipes", ","],
            "--recipes: got ',', need a value on both sides of a comma; try dense,bdwp",
        ),
        (["gemm", "12x12"], "product: got '12x12', need MxNxK, three positive integers"),
        (["gemm"], "gemm: got both or neither of MxNxK and --from, need one"),
        (["gemm", "8x8x8", "--dataflow", "is"], "dataflow: got is, need one that sat-vcu1525 offers: os, ws"),
        (["gemm", "8x8x8", "--objective", "speed"], "objective: got 'speed', need one of time, energy, energy-delay"),
        (["gemm", "--from", GOLDEN, "--objective", "energy"], "--objective: got it with --from, which times the array"),
        (["gemm", "8x8x8", "--sparsity", "3:7"], "sat-vcu1525.yaml:27: 8x8x8: got sparsity 3:7, need one that"),
        (
            ["gemm", "--from", GOLDEN, "--dataflow", "ws"],
            "--dataflow: got it with a list that has such a column, need one of the two",
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
        (
            ["simulate", SMALL, "--quiet"],
            "--quiet: got it behind simulate, need it before; try bisparse --quiet simulate\n",
        ),
        (["simulate", SMALL, "-b", "3"], "-b: got no option of this name, need one of bisparse simulate; try"),
        (["simulate"], "WORKLOAD: got nothing, need shipped workload (see: bisparse workloads list)"),
        (["capture", "math:sqrt"], "--input: got nothing, need a shape for each input of math:sqrt; try"),
        (["simulate", SMALL, "more"], "bisparse simulate: got 'more' after its last argument, need nothing there"),
        (["simulat", SMALL], "bisparse: got 'simulat', need one of simulate, compare"),
        (
            ["hardware", "lst"],
            "bisparse hardware: got 'lst', need one of fit, parts, area, dram, list, show, check; try list\n",
        ),
        (["validate", "--seed", "abc"], "--seed: got 'abc', need a whole number; try 1\n"),
        (["workloads", "show", SMALL, "--batch", "0"], "--batch: got 0, need at least 1; try 512\n"),
        (["capture", "a:b", "--input", "3", "--batch", "0"], "--batch: got 0, need at least 1; try 32\n"),
        (["gemm", "-1x4x4"], "MxNxK: got '-1x4x4', need a value without a minus; try bisparse gemm --help\n"),
        (["gemm", "--from", "."], ".: got a folder, need a CSV list of products\n"),
        (
            ["compare", SMALL, "--recipes", "dense,,bdwp"],
            "--recipes: got 'dense,,bdwp', need a value on both sides of a comma; try dense,bdwp\n",
        ),
        (
            ["codesign", "--model", "mlp", "--data", "digits", "--sparsity", "2:8,"],
            "--sparsity: got '2:8,', need a value on both sides of a comma; try 2:8\n",
        ),
        (
            ["trace", SMALL, "0.0:FX", "--out", "t"],
            "operator: got '0.0:FX', need a product of resnet9-cifar10; try 0.0:FF",
        ),
        (
            ["trace", SMALL, "0.0:FF", "--out", "t", "--format", "x"],
            "format: got 'x', need one of ramulator, ramulator2,",
        ),
        (["trace", SMALL, "0.0:FF", "--out", "t", "--limit", "0"], "--limit: got 0, need at least 1; try 1000000\n"),
        (["trace", SMALL, "0.0:FF"], "--out: got nothing, need the trace; compressed when it ends in"),
        (["trace", SMALL, "0.0:FF", "--out", "no/t"], "no/t: got no such file or folder, need one that is there\n"),
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


def test_a_fifo_is_no_file_whoever_is_given_it(run, tmp_path):
    os.mkfifo(tmp_path / "f.json")
    (tmp_path / "run").mkdir()
    os.mkfifo(tmp_path / "run" / "result.json")
    for arguments in (
        ("simulate", "f.json"),
        ("simulate", SMALL, "--hardware", "f.json"),
        ("simulate", SMALL, "--recipe", "./f.json"),
        ("simulate", SMALL, "--batch", "8", "--schedule", "f.json"),
        ("simulate", SMALL, "--batch", "8", "--densities", "f.json"),
        ("explore", "f.json"),
        ("gemm", "--from", "f.json"),
        ("report", "run"),
    ):
        done = run(*arguments)
        assert (done.code, len(done.err.splitlines())) == (2, 1), arguments
        assert "f.json: got a FIFO, need a file" in done.err or arguments[0] == "report"
        assert "got a FIFO, need a file" in done.err


def test_what_nests_too_deep_is_told_and_ends_nothing(run, tmp_path):
    (tmp_path / "x.yaml").write_text(f"a: {'[' * 100_000}")
    (tmp_path / "x.json").write_text("[" * 2000 + "]" * 2000)
    for arguments in (("hardware", "check", "x.yaml"), ("explore", "x.yaml"), ("simulate", "x.json")):
        done = run(*arguments)
        assert done.code == 2
        assert "got values nested too deeply, need at most 64 levels" in done.err


def test_a_damaged_result_is_told_by_file_and_field(run, tmp_path):
    assert run("simulate", SMALL, "--batch", "8", "--out", "r").code == 0
    file = tmp_path / "r" / "result.json"
    file.write_text(re.sub(r'"total_cycles": \d+', '"total_cycles": "1159"', file.read_text(), count=1))
    done = run("report", "r")
    assert (done.code, done.err) == (
        2,
        "r/result.json: total_cycles: got '1159', need an integer of at least 0; try running it again\n",
    )


def test_an_exported_program_that_is_a_fifo_is_refused(run, tmp_path):
    os.mkfifo(tmp_path / "f.pt2")
    assert "f.pt2: got a FIFO, need a file" in run("capture", "f.pt2").err


def test_a_command_that_is_no_text_is_one_line_of_a_report(run, tmp_path):
    assert run("simulate", SMALL, "--batch", "8", "--out", "r").code == 0
    (tmp_path / "r" / "command.txt").write_bytes(b"\xff")
    done = run("report", "r")
    assert (done.code, done.err) == (2, "r/command.txt: got byte 0 that is not UTF-8, need UTF-8 text\n")


def test_a_word_of_thousands_of_characters_is_told_short(run):
    done = run("recipes", "check", "9" * 5000)
    assert done.code == 2
    assert done.err.startswith("9" * 60 + "...")
    assert len(done.err) < 500


def test_a_cell_of_thousands_of_words_is_told_short(run, tmp_path):
    (tmp_path / "p.csv").write_text(f"M,N,K\n8,8,{'1 ' * 5000}\n")
    done = run("gemm", "--from", "p.csv")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert len(done.err) < 2000


def test_threads_are_bounded_and_memory_that_ends_is_told(run, monkeypatch):
    done = run("train", "--model", "mlp", "--data", "digits", "--threads", "1025")
    assert (done.code, done.err) == (2, "--threads: got 1025, need at most 1024; try 2\n")

    def too_much(*_):
        raise MemoryError

    monkeypatch.setattr("bisparse.accel.specification.load_hardware", too_much)
    done = run("gemm", "8x8x8")
    assert done.code == 2
    assert done.err.startswith("memory: got none left, need more of it; try ")


def test_a_field_that_is_not_said_is_told_at_the_section_that_lacks_it(run, tmp_path):
    text = find("hardware", "sat-vcu1525").read_text()
    (tmp_path / "mine.yaml").write_text(re.sub(r"^  patterns:.*\n(?:   .*\n)*", "", text, flags=re.M))
    done = run("gemm", "8x8x8", "--hardware", "mine.yaml", "--sparsity", "2:8")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert re.match(r"mine\.yaml:\d+: .*got .*2:8, need one that", done.err)


def test_a_name_out_of_a_schedule_is_told_of_the_schedule(run, tmp_path):
    assert run("simulate", SMALL, "--batch", "8", "--save-schedule", "s.json").code == 0
    file = tmp_path / "s.json"
    file.write_text(file.read_text().replace('"sat-vcu1525"', '"sat-vcu1526"'))
    done = run("simulate", SMALL, "--schedule", "s.json")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert re.match(r"s\.json:\d+: hardware: got 'sat-vcu1526', need one of ", done.err)


def test_a_graph_that_is_too_large_is_told_by_its_file(run, tmp_path, monkeypatch):
    from bisparse.sim.step import step_size

    from bisparse.api import load_workload

    load_workload(SMALL).graph.save(tmp_path / "g.json")
    monkeypatch.setattr(step_size, "LARGEST_STEP", 10**6)
    done = run("simulate", "g.json", "--batch", "1")
    assert done.code == 2
    need = "need a step of at most 1e+06 MACs, and elements, at batch 1"
    assert done.err == f"g.json: workload: got resnet9-cifar10, {need}\n"
