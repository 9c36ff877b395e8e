"""A TPU v3 core that was timed: its preset, the errors of docs/validation.md, and what the shipped cycles say of peers.

``examples/tpu-v3/measured.py`` runs all ten; here those that take a moment.
"""

import re
import sys
from pathlib import Path

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.sim.witness.silicon import DESIGN, mean_absolute_error, peers_of, timed_work

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "tpu-v3"
QUICK = (
    *("gemm_256x256x256", "gemm_1024x1024x1024", "conv_64x28x28x128x128x3x1x1"),
    *("layernorm_512x768", "softmax_2048x2048", "attention_12x512x64"),
)
WORK = timed_work()


@pytest.fixture(scope="module")
def measured():
    """The example, as a module; it imports what lies beside it."""
    pytest.importorskip("torch")
    sys.path.insert(0, str(EXAMPLE))
    try:
        import measured as found

        yield found
    finally:
        sys.path.remove(str(EXAMPLE))


def rows_of(text):
    """Cells of Markdown rows by the first of them."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return {row[0]: row[1:] for row in rows}


PAGE = (ROOT / "docs" / "validation.md").read_text()
WRITTEN = rows_of(PAGE[PAGE.index("## A TPU v3 that was timed") : PAGE.index("**Five constants are fitted**")])


def test_the_preset_has_what_was_published():
    loaded = load_hardware(DESIGN)
    design, known = loaded.model, loaded.provenance
    assert design.peak_macs_per_cycle == 2 * 128 * 128
    assert 2 * 2 * design.peak_macs_per_cycle * design.clock_hz == pytest.approx(123e12, rel=0.005)
    assert design.dram.channels * design.dram.channel_bytes_per_second == 450e9
    assert design.buffers.capacity_bytes == 16 << 20
    assert design.buffers.operand_port_bytes_per_cycle == 2 * 2 * 128 * 4
    fitted = [field for field, each in known.items() if each.status == "fitted"]
    assert sorted(fitted) == [
        "dram.efficiency",
        "dram.latency_seconds",
        "tensor_engine.share_from",
        "vector_engine.operations.layer_norm.cycles_per_element",
        "vector_engine.operations.softmax.cycles_per_element",
    ]
    assert all("docs/validation.md" in known[field].source for field in fitted)


def test_what_is_fitted_is_what_the_example_fits(measured):
    fitted = {field for field, each in load_hardware(DESIGN).provenance.items() if each.status == "fitted"}
    assert set(measured.TRIED) == fitted


@pytest.mark.parametrize("name", QUICK)
def test_cycles_are_those_of_the_page(name, measured):
    work = next(each for each in WORK if each.name == name)
    assert WRITTEN[f"`{name}`"][:2] == [f"{work.cycles:,}", measured.beside(work, measured.cycles_of(name, {}))]


def test_errors_of_the_page_follow_from_its_cycles():
    """Ours from the page's own cycles, the peers' from the shipped ones; and who is nearer than whom."""
    ours = {each.name: int(re.sub(r"\D", "", WRITTEN[f"`{each.name}`"][1].split(" (")[0])) for each in WORK}
    peers = peers_of(WORK)
    common = [each for each in WORK if set(each.peers) == set(peers)]
    for title, of in (("mean absolute error, all that it has", WORK), ("the same, where all have one", common)):
        said = [{each.name: each.peers[peer] for each in of if peer in each.peers} for peer in peers]
        errors = [mean_absolute_error(of, each) for each in ({one.name: ours[one.name] for one in of}, *said)]
        assert WRITTEN[title][1:] == [f"**{100 * error:.1f}%**" for error in errors]
        assert errors[0] == min(errors)


def test_names_that_were_not_timed_are_worked_out_too(measured, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["measured.py", "gemm_512x512x512", "layernorm_512x768"])
    measured.main()
    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"gemm_512x512x512: [\d,]+ cycles", first)
    assert "TPU v3 24,895" in second
    with pytest.raises(SystemExit, match="got lenet, need a name such as gemm_512x512x512"):
        measured.cycles_of("lenet", {})
