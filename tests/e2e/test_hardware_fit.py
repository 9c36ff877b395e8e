"""``bisparse hardware fit``, ``parts`` and ``area``: what a design takes, in words and as data."""


def test_fit_tells_the_verdict_the_shortage_and_the_largest_array(run):
    done = run("hardware", "fit", "sat-vcu1525", "--set", "tensor_engine.rows=64", "--set", "tensor_engine.cols=64")
    first, fullest, short, *_ = done.out.splitlines()
    assert done.code == 0
    assert first.startswith("sat-vcu1525")
    assert first.endswith("does not fit")
    assert fullest.startswith("fullest: LUTs of SLR")
    assert short.startswith("short: SLR")
    assert "largest array of these proportions, all else as it is: " in done.out
    assert "no clock is claimed" in done.out
    assert "memory controllers" in done.out


def test_fit_as_data_has_what_the_words_have(run):
    words = run("hardware", "fit", "edge-16x16", "--part", "zu9eg").out
    document = run("hardware", "fit", "edge-16x16", "--part", "zu9eg", "--json").document
    assert words.splitlines()[0].endswith(document["verdict"])
    assert f"{document['total']['value']['luts']:,}" in words or document["total"]["value"]["luts"] < 1000
    assert set(document["share"]) == {"low", "value", "high"}


def test_parts_are_listed(run):
    assert "vcu1525" in run("hardware", "parts").out
    assert {each["name"] for each in run("hardware", "parts", "--json").document["parts"]} >= {"vcu1525", "vc1902"}


def test_an_unknown_part_is_told_with_those_that_there_are(run):
    done = run("hardware", "fit", "sat-vcu1525", "--part", "vcu1526")
    assert done.code != 0
    assert "need one of" in done.err
    assert "Traceback" not in done.err


def test_area_is_told_by_component_and_as_data(run):
    words = run("hardware", "area", "edge-16x16", "--table", "45nm")
    document = run("hardware", "area", "edge-16x16", "--table", "45nm", "--json").document
    assert words.code == 0
    assert f"{document['total_mm2']['value']:.3f}" in words.out
    assert set(document["mm2"]) >= {"PE registers", "west buffer", "reduction engine"}
    assert "need one of" in run("hardware", "area", "edge-16x16", "--table", "28nm").err


def test_a_bit_of_dram_is_told_by_its_parts(run):
    words = run("hardware", "dram", "ddr4-2400").out
    document = run("hardware", "dram", "ddr4-2400", "--json").document
    assert "pJ a bit, 50% read, at 100% of 19.2 GB/s" in words
    for use in document["uses"].values():
        assert f"{use['total']:.2f}" in words
    refused = run("hardware", "dram", "ddr4-2400", "--busy", "0")
    assert (refused.code, refused.err) == (2, "busy: got 0, need a share from 1e-06 to 1\n")
