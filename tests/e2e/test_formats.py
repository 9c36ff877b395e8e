"""Formats of sparse operands through the command line: what is skipped, what is not and why, replays, sweeps."""

import csv

import pytest
from bisparse.accel.set_fields import set_fields
from bisparse.accel.specification import load_hardware

import bisparse

SMALL = "resnet9-cifar10"
ASKED = ("simulate", SMALL, "--batch", 16, "--recipe", "static-masks")
SKIPS = ("--hardware", "sat-unstructured")


def test_zeros_that_hardware_cannot_skip_save_nothing_and_the_answer_says_why(run, tmp_path):
    done = run(*ASKED, "--sparsity", "80%", "--out", "out")
    said = " ".join(done.out.split())
    assert "as fast as dense" in said
    assert "Its zeros save no time on the array: sat-vcu1525 skips no zeros that lie without a rule." in said
    rows = {row["name"]: row for row in csv.DictReader((tmp_path / "out" / "operators.csv").open())}
    assert "multiplied densely" in rows["1.0:FF"]["mapping"]
    assert rows["1.0:FF"]["sparsity"] == "80%"
    assert "skips no zeros" in rows["1.0:FF"]["dense_reason"]
    for report in ("report.html", "report.md"):
        assert "Its zeros save no time" in (tmp_path / "out" / report).read_text()


def test_hardware_that_skips_them_is_faster_and_blocks_go_with_it(run):
    document = run(*ASKED, *SKIPS, "--sparsity", "80%", "--json").document
    assert 1.2 < document["speedup_vs_dense"] < document["flop_bound_speedup"]
    # Stem and weight gradients stay; the kept share of the others is a fifth.
    (row,) = [row for row in document["operators"] if row["name"] == "1.0:FF"]
    dense = run("simulate", SMALL, "--batch", 16, "--recipe", "dense", *SKIPS, "--json").document
    (whole,) = [each for each in dense["operators"] if each["name"] == "1.0:FF"]
    assert row["issued_macs"] == -(-whole["issued_macs"] // 5)
    assert whole["cycles"] / 5 < row["cycles"] < whole["cycles"]
    blocks = run(*ASKED, *SKIPS, "--sparsity", "80% block 32x1", "--json").document
    assert blocks["sparsity"] == "80% block 32x1"
    (as_one,) = [each for each in blocks["operators"] if each["name"] == "1.0:FF"]
    assert as_one["cycles"] < row["cycles"], "columns with one mask do not wait"


def test_blocks_that_do_not_fit_are_told_apart(run):
    said = " ".join(run(*ASKED, *SKIPS, "--sparsity", "80% block 4x6").out.split())
    # Channels are no multiples of 6: along the inputs those layers stay dense, along the outputs blocks of 4 fit.
    assert "Its zeros save no time" not in said
    rigid = ("--set", "tensor_engine.exploits.unstructured.group=6")
    said = " ".join(run(*ASKED, *SKIPS, *rigid, "--sparsity", "80% block 4x4").out.split())
    assert "blocks of 4 along k do not fit the groups of 6 of sat-unstructured" in said


def test_n_of_m_costs_the_same_wherever_zeros_without_a_rule_are_skipped_too(run):
    both = [
        run("simulate", SMALL, "--batch", 16, "--sparsity", "2:8", "--hardware", hardware, "--json").document
        for hardware in ("sat-vcu1525", "sat-unstructured")
    ]
    assert both[0]["total_cycles"] == both[1]["total_cycles"]
    assert both[0]["energy_joules"] == both[1]["energy_joules"]


def test_a_schedule_is_saved_and_replayed(run):
    first = run(*ASKED, *SKIPS, "--sparsity", "80%", "--save-schedule", "s.json", "--json").document
    again = run("simulate", SMALL, "--schedule", "s.json", "--json").document
    assert again["total_cycles"] == first["total_cycles"]
    assert again["sparsity"] == "80%"


def test_both_engines_agree(run):
    asked = (*ASKED, *SKIPS, "--sparsity", "80%", "--json")
    analytic, played = (run(*asked, "--engine", engine).document for engine in ("analytic", "event"))
    assert played["total_cycles"] == pytest.approx(analytic["total_cycles"], rel=5e-4)
    assert played["dram_read_bytes"] == analytic["dram_read_bytes"]


def test_blocks_of_the_sizes_that_a_design_skips(run):
    sized = ("--set", "tensor_engine.exploits.block.sizes=8x8", "--set", "tensor_engine.cols=8")
    dense = run("simulate", SMALL, "--batch", 16, "--recipe", "dense", *sized, "--json").document
    skipped = run(*ASKED, *sized, "--sparsity", "75% block 8x8", "--json").document
    played = run(*ASKED, *sized, "--sparsity", "75% block 8x8", "--engine", "event", "--json").document
    assert skipped["total_cycles"] < 0.9 * dense["total_cycles"]
    assert played["total_cycles"] == pytest.approx(skipped["total_cycles"], rel=5e-4)
    said = " ".join(run(*ASKED, *sized, "--sparsity", "75% block 4x8").out.split())
    assert "zeros of 75% block 4x8 are no whole blocks of 8x8, which sat-vcu1525" in said


@pytest.mark.parametrize("sparsity", ["80% in each row", "80% as run-length", "75% block 8x8 as index", "80% as rows"])
def test_both_engines_count_the_bytes_of_every_encoding(run, sparsity):
    asked = (*ASKED, *SKIPS, "--sparsity", sparsity, "--json")
    analytic, played = (run(*asked, "--engine", engine).document for engine in ("analytic", "event"))
    assert analytic["sparsity"] == sparsity
    assert played["total_cycles"] == pytest.approx(analytic["total_cycles"], rel=5e-4)
    assert played["dram_read_bytes"] == analytic["dram_read_bytes"]
    assert played["dram_write_bytes"] == analytic["dram_write_bytes"]


@pytest.mark.parametrize("sparsity", ["50% of rows", "50% of columns", "4 diagonal blocks", "band 16"])
def test_any_design_gains_from_what_is_gone_as_a_whole(run, sparsity):
    dense = run("simulate", SMALL, "--batch", 16, "--recipe", "dense", "--json").document
    asked = (*ASKED, "--sparsity", sparsity)
    analytic, played = (run(*asked, "--engine", engine, "--json").document for engine in ("analytic", "event"))
    assert analytic["total_cycles"] < 0.8 * dense["total_cycles"]
    assert played["total_cycles"] == pytest.approx(analytic["total_cycles"], rel=5e-4)
    assert played["dram_read_bytes"] == analytic["dram_read_bytes"]
    (gradient,) = [each for each in analytic["operators"] if each["name"] == "1.0:WU"]
    (whole,) = [each for each in dense["operators"] if each["name"] == "1.0:WU"]
    assert gradient["issued_macs"] < 0.7 * whole["issued_macs"]
    assert "Its zeros save no time" not in run(*asked).out
    run(*asked, "--save-schedule", "s.json")
    assert run("simulate", SMALL, "--schedule", "s.json", "--json").document["total_cycles"] == analytic["total_cycles"]


@pytest.mark.parametrize("sparsity", ["2:8+1:8", "2:8 permuted"])
def test_terms_and_permuted_groups(run, sparsity):
    asked = (*ASKED, "--sparsity", sparsity)
    analytic, played = (run(*asked, "--engine", engine, "--json").document for engine in ("analytic", "event"))
    plain = run(*ASKED, "--sparsity", "2:8", "--json").document
    dense = run("simulate", SMALL, "--batch", 16, "--recipe", "dense", "--json").document
    assert plain["total_cycles"] < analytic["total_cycles"] < dense["total_cycles"]
    assert played["total_cycles"] == pytest.approx(analytic["total_cycles"], rel=5e-4)
    assert played["dram_read_bytes"] == analytic["dram_read_bytes"]
    gathers = [each for each in analytic["operators"] if each["kind"] == "gather"]
    assert bool(gathers) == (sparsity == "2:8 permuted")


def test_what_a_design_or_a_single_product_cannot_have_is_refused(run):
    lacking = run(*ASKED, "--sparsity", "2:8+5:8")
    assert lacking.code == 2
    assert "got 2:8+5:8, need one that sat-vcu1525 has" in " ".join(lacking.err.split())
    gathered = run("gemm", "512x256x512", "--sparsity", "2:8 permuted")
    assert gathered.code == 2
    assert "whose gather is no part of one product; try 2:8" in " ".join(gathered.err.split())
    document = run("gemm", "512x256x512", "--sparsity", "2:8+2:8", "--json").document
    assert (document["k"], document["useful_macs"]) == (512, 512 * 256 * 512 // 2)


def test_a_permuted_order_is_not_trained_without_a_search(run):
    pytest.importorskip("torch")
    asked = ("--model", "mlp", "--data", "digits", "--recipe", "static-masks", "--sparsity", "2:8 permuted")
    done = run("train", *asked, "--epochs", 1, "--out", "t")
    assert done.code == 2
    assert "got 2:8 permuted, need an order of channels to train with" in " ".join(done.err.split())


def test_a_structure_trains_and_its_run_is_timed(run):
    pytest.importorskip("torch")
    asked = ("--model", "mlp", "--data", "digits", "--recipe", "static-masks", "--sparsity", "50% of rows")
    done = run("train", *asked, "--epochs", 1, "--out", "t")
    assert done.code == 0, done.err
    assert "static-masks 50% of rows" in " ".join(done.out.split())


def test_a_sweep_over_densities_blocks_and_queues(run, tmp_path):
    (tmp_path / "sweep.yaml").write_text(
        f"""name: densities
base: {{workload: {SMALL}, hardware: sat-unstructured, recipe: static-masks, batch: 16}}
axes:
  sparsity: ["75% block 8x8 as index", "80% in each row", "4 diagonal blocks"]
  hardware.tensor_engine.exploits.unstructured.queue: [1, 4]
  hardware.tensor_engine.cols: [16]
objectives:
  - {{maximise: speedup_vs_dense}}
"""
    )
    done = run("explore", "sweep.yaml", "--out", "out", "--jobs", 1)
    assert done.code == 0, done.err
    rows = list(csv.DictReader((tmp_path / "out" / "designs.csv").open()))
    assert len(rows) == 6
    for row in rows:
        queue, cols = (row[f"hardware.tensor_engine.{name}"] for name in ("exploits.unstructured.queue", "cols"))
        design = set_fields(
            load_hardware("sat-unstructured"),
            [f"tensor_engine.exploits.unstructured.queue={queue}", f"tensor_engine.cols={cols}"],
        )
        result = bisparse.simulate(SMALL, design, "static-masks", row["sparsity"], batch=16)
        assert float(row["speedup_vs_dense"]) == pytest.approx(result.speedup_vs_dense, rel=1e-12)


def test_one_product(run):
    document = run("gemm", "512x256x512", "--sparsity", "80%", *SKIPS, "--json").document
    assert document["sparsity"] == "80%"
    assert document["useful_macs"] == -(-512 * 256 * 512 // 5)
    dense = run("gemm", "512x256x512", *SKIPS, "--json").document
    assert dense["mapped"]["cycles"] / 5 < document["mapped"]["cycles"] < dense["mapped"]["cycles"] / 1.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--recipe", "bdwp", "--sparsity", "80%"), "got 80% with bdwp, need N:M such as 2:8"),
        (("--recipe", "static-masks", "--sparsity", "0.8"), "got '0.8', need N:M such as 2:8"),
        (("--recipe", "static-masks", "--sparsity", "100%"), "got 100%, need 0% to below 100%"),
        (("--recipe", "static-masks", "--sparsity", "80% blocks 4x4"), "need a share of zeros such as 80%"),
    ],
)
def test_what_cannot_be_is_one_line(run, arguments, message):
    done = run("simulate", SMALL, *arguments)
    assert done.code == 2
    assert message in " ".join(done.err.split())


def test_a_share_of_zeros_trains_and_its_run_is_timed(run, tmp_path):
    pytest.importorskip("torch")
    asked = ("--model", "mlp", "--data", "digits", "--recipe", "static-masks", "--sparsity", "80%", "--epochs", 1)
    done = run("train", *asked, *SKIPS, "--out", "t")
    assert done.code == 0, done.err
    said = " ".join(done.out.split())
    assert "static-masks 80%" in said
    assert "as fast as dense" in said
    assert (tmp_path / "t" / "summary.json").is_file()
