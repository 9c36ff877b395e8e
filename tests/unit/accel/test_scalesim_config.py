"""SCALE-Sim's configurations as designs."""

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import ConfigError
from bisparse.configs.pattern import Pattern
from bisparse.sim.product.single_product import array_figures, plain_product

CONFIG = """\
[general]
run_name = tiny_ws

[architecture_presets]
ArrayHeight:    8
ArrayWidth:     16
IfmapSramSzkB:   64
FilterSramSzkB:  32
OfmapSramSzkB:   16
IfmapOffset:    0
Bandwidth : 10
Dataflow : ws
MemoryBanks:   1

[run_presets]
InterfaceBandwidth: USER
"""


def loaded(tmp_path, text=CONFIG):
    path = tmp_path / "tiny.cfg"
    path.write_text(text)
    return load_hardware(str(path))


def test_a_configuration_is_the_textbook_array_of_its_size(tmp_path):
    design = loaded(tmp_path).model
    textbook = load_hardware("systolic-textbook").model
    engine = design.tensor_engine
    assert design.name == "tiny_ws"
    assert (engine.rows, engine.cols, engine.dataflows, engine.precision) == (8, 16, ("ws",), "int8")
    assert (engine.mac_latency, engine.overlapped) == (textbook.tensor_engine.mac_latency, False)
    sizes = {side: buffer.capacity_bytes for side, buffer in design.buffers.by_side.items()}
    assert sizes == {"west": 64 * 1024, "north": 32 * 1024, "output": 16 * 1024}
    # Three interfaces of ten words a cycle; a word is a byte.
    assert design.dram_bytes_per_cycle == 30
    # 2R + C + T - 2 cycles a fold, of SCALE-Sim.
    assert array_figures(engine, plain_product(100, 16, 8)).cycles == 2 * 8 + 16 + 100 - 2


def test_what_streams_in_under_is_is_the_filter(tmp_path):
    design = loaded(tmp_path, CONFIG.replace("Dataflow : ws", "Dataflow : is")).model
    assert (design.buffers.west.capacity_bytes, design.buffers.north.capacity_bytes) == (32 * 1024, 64 * 1024)


def test_calculated_bandwidth_is_what_the_edges_take(tmp_path):
    design = loaded(tmp_path, CONFIG.replace("USER", "CALC")).model
    assert design.dram_bytes_per_cycle == 8 + 2 * 16
    three = loaded(tmp_path, CONFIG.replace("Bandwidth : 10", "Bandwidth : 10,20,5")).model
    assert three.dram_bytes_per_cycle == 35


def test_layer_wise_sparsity_spreads_groups(tmp_path):
    assert loaded(tmp_path).model.tensor_engine.patterns == ()
    design = loaded(tmp_path, CONFIG + "[sparsity]\nSparsitySupport : true\n").model
    gemm = plain_product(100, 16, 32, Pattern(2, 4))
    # 16 slots of k 32 are two folds of 8 rows.
    assert array_figures(design.tensor_engine, gemm).cycles == 2 * (2 * 8 + 16 + 100 - 2)


def test_what_the_file_does_not_say_is_assumed(tmp_path):
    provenance = loaded(tmp_path).provenance
    assert provenance["tensor_engine.rows"].status == "given"
    assert {provenance[name].status for name in ("clock_hz", "tensor_engine.precision", "dram.burst_bytes")} == {
        "assumed"
    }


def test_comments_and_empty_names(tmp_path):
    text = CONFIG.replace("run_name = tiny_ws", "run_name =").replace("Dataflow : ws", "Dataflow : ws ; the TPU's")
    design = loaded(tmp_path, text).model
    assert (design.name, design.tensor_engine.dataflows) == ("tiny", ("ws",))


def test_a_configuration_can_be_extended(tmp_path):
    loaded(tmp_path)
    (tmp_path / "own.yaml").write_text("name: own\nextends: ./tiny.cfg\ntensor_engine: {rows: 4}\n")
    engine = load_hardware(str(tmp_path / "own.yaml")).model.tensor_engine
    assert (engine.rows, engine.cols) == (4, 16)


def test_values_know_their_lines(tmp_path):
    document = loaded(tmp_path).document
    assert str(document.place_of(("tensor_engine", "rows"))).endswith("tiny.cfg:5")
    assert str(document.place_of(("buffers", "north", "capacity_bytes"))).endswith("tiny.cfg:8")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"tiny\.cfg: ArrayHeight: got no such field, need it"),
        (CONFIG.replace("ArrayHeight:    8", "ArrayHeight: 0"), r"tiny\.cfg:5: ArrayHeight: got '0', need a positive"),
        (CONFIG.replace("Dataflow : ws", "Dataflow : rs"), r"tiny\.cfg:12: Dataflow: got 'rs', need os, ws or is"),
        (CONFIG.replace("USER", "ASK"), r"tiny\.cfg:16: InterfaceBandwidth: got 'ASK', need USER or CALC"),
        (
            CONFIG.replace("Bandwidth : 10", "Bandwidth : 1,2"),
            r"tiny\.cfg:11: Bandwidth: got '1,2', need words",
        ),
        (CONFIG + "SparsitySupport: maybe\n", r"tiny\.cfg:17: SparsitySupport: got 'maybe', need true or false"),
        (CONFIG + "arrayheight: 9\n", r"tiny\.cfg:17: arrayheight: got a field already given on line 5, need it once"),
        (CONFIG.replace("8\n", "9" * 30 + "\n", 1), r"tiny\.cfg:5: ArrayHeight: got '9{30}', need a positive integer"),
        (CONFIG.replace(": 10", ": " + "9" * 400), r"tiny\.cfg:11: Bandwidth: got '9+', need words a cycle"),
        (
            CONFIG.replace("ws", "is") + "SparsitySupport: true\n",
            r"tiny\.cfg:17: SparsitySupport: got 'true', need false under",
        ),
        (CONFIG + "what is this\n", r"tiny\.cfg:17: got 'what is this', need a field such as ArrayHeight: 32"),
    ],
)
def test_a_faulty_configuration_is_named_by_line_and_field(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        loaded(tmp_path, text)
