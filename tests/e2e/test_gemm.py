"""``bisparse gemm`` as a user meets it: one product, and lists of them."""

import csv
import io
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "golden" / "scalesim-dense-gemm.csv"


def test_gemm_gives_the_array_alone_and_the_mapped_time(run):
    document = run("gemm", "512x512x4096", "--sparsity", "2:8", "--dataflow", "ws", "--json").document
    assert document["useful_macs"] == 512 * 512 * 1024
    assert document["array"]["dataflow"] == document["mapped"]["dataflow"] == "ws"
    assert document["array"]["cycles"] < document["mapped"]["cycles"]
    assert document["mapped"]["utilisation"] <= 1
    table = run("gemm", "512x512x4096")
    assert "array alone" in table.out
    assert "utilisation" in table.out


def test_gemm_minimises_what_it_is_told(run):
    """On this design the fastest mapping is not the one of the least energy."""
    product = ("gemm", "2048x2048x2048", "--hardware", "datacenter-128x128")
    found = {name: run(*product, "--objective", name, "--json").document for name in ("time", "energy")}
    assert found["time"]["mapped"]["cycles"] < found["energy"]["mapped"]["cycles"]
    assert found["energy"]["mapped"]["energy_joules"] < found["time"]["mapped"]["energy_joules"]
    assert found["time"]["array"] == found["energy"]["array"]
    assert run(*product, "--json").document == found["time"]


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
    assert done.err == "list.csv:3: N: got 'x', need a positive integer up to 2147483647\n"


@pytest.mark.parametrize("first", [0, 1, 2])
def test_layers_of_a_topology_may_say_more_than_others_in_any_order(run, tmp_path, first):
    """One stride, two strides, a sparsity: each row is whole, whichever comes first."""
    header = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,"
    rows = ["a,9,9,3,3,8,4,1,", "b,9,9,3,3,8,4,1,2", "c,9,9,3,3,8,4,2,"]
    (tmp_path / "layers.csv").write_text("\n".join([header, *rows[first:], *rows[:first]]) + "\n")
    done = run("gemm", "--from", "layers.csv")
    assert done.code == 0
    found = {row["Layer name"]: row for row in csv.DictReader(done.out.splitlines())}
    assert {name: int(row["M"]) for name, row in found.items()} == {"a": 49, "b": 28, "c": 16}
    assert (found["a"]["Strides"], found["b"]["Stride Width"], found["a"]["Stride Width"]) == ("1", "2", "")
