"""What a hardware file may say, and what is said to one that may not."""

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.accel.tensor_engine import ArrayTiming
from bisparse.configs.errors import ConfigError
from bisparse.configs.library import names
from bisparse.configs.pattern import Pattern
from bisparse.configs.vector_kinds import VECTOR_KINDS

SAT = load_hardware("sat-vcu1525").model


def write(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nextends: sat-vcu1525\n" + text)
    return str(path)


def refusal(tmp_path, text):
    with pytest.raises(ConfigError) as wrong:
        load_hardware(write(tmp_path, text))
    return str(wrong.value).replace(str(tmp_path) + "/", "")


@pytest.mark.parametrize("name", names("hardware"))
def test_every_shipped_design_prices_every_kind_of_vector_operation(name):
    """A kind without a price is charged as an unknown one, and nobody would notice."""
    assert set(VECTOR_KINDS) - set(load_hardware(name).model.vector_engine.operations) == set()


@pytest.mark.parametrize("name", names("hardware"))
def test_every_shipped_design_loads_and_says_where_its_figures_come_from(name):
    loaded = load_hardware(name)
    assert loaded.model.name == name
    statuses = {entry.status for entry in loaded.provenance.values()}
    assert statuses <= {"published", "derived", "fitted", "assumed"}


def test_a_design_of_ones_own_changes_what_it_says_and_keeps_the_rest(tmp_path):
    mine = load_hardware(write(tmp_path, "tensor_engine:\n  rows: 64\n")).model
    assert (mine.tensor_engine.rows, mine.tensor_engine.cols) == (64, 32)
    assert mine.peak_macs_per_cycle == 64 * 32
    assert mine.dram == SAT.dram


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("tensor_engine:\n  accumulate_latency: 9\n", "accumulate_latency: got 9, need at most mac_latency (8)"),
        ("tensor_engine:\n  register_depth: 65\n", "register_depth: got 65, need a number <= 64"),
        ("tensor_engine:\n  rows: 0\n", "rows: got 0, need a number > 0"),
        ("tensor_engine:\n  rows: 2.5\n", "rows: got 2.5, need an integer"),
        ("tensor_engine:\n  dataflows: []\n", "dataflows: got "),
        ("tensor_engine:\n  patterns: ['9:8']\n", "patterns.0: got "),
        ("dram:\n  latency_seconds: -1 ns\n", "latency_seconds: got '-1 ns', need seconds that are not negative"),
        ("dram:\n  channels: 0\n", "channels: got 0, need a number > 0"),
        ("vector_engine:\n  fused: [mystery]\n", "fused.0: got 'mystery', need a kind that stands in operations"),
        (
            "vector_engine:\n  fused: [add, reluu]\n",
            "fused.1: got 'reluu', need a kind that stands in operations; try relu",
        ),
        ("reduction_engine:\n  largest_group: 64\n", "largest_group: got 64, need a number <= 32"),
        ("buffers:\n  east: 1\n", "east: "),
    ],
)
def test_a_wrong_design_is_told_where_and_what_is_needed(tmp_path, text, complaint):
    section = text.partition(":")[0]
    assert refusal(tmp_path, text).startswith(f"mine.yaml:4: {section}.{complaint}")


def test_a_price_for_no_known_kind_of_vector_operation_is_refused_with_the_nearest_kind(tmp_path):
    priced = "vector_engine:\n  operations:\n    reluu: {cycles_per_element: 1}\n"
    assert refusal(tmp_path, priced) == (
        "mine.yaml:5: vector_engine.operations.reluu: got 'reluu', need a kind of vector operation; try relu"
    )
    assert refusal(tmp_path, priced.replace("reluu", "qqq")).endswith("need a kind of vector operation")


def test_every_array_runs_dense_and_only_the_patterns_it_lists():
    engine = SAT.tensor_engine.model_copy(update={"patterns": ("2:4",)})
    assert engine.supports(Pattern(8, 8))
    assert engine.supports(Pattern(2, 4))
    assert not engine.supports(Pattern(1, 4))


def test_the_cycle_model_is_told_all_that_fixes_its_timing():
    timing = SAT.tensor_engine.timing
    assert isinstance(timing, ArrayTiming)
    assert timing.shifted_drain == (SAT.tensor_engine.drain == "shift")
    assert timing.chained_load == (SAT.tensor_engine.stationary_load == "chain")
    for field in set(ArrayTiming._fields) - {"shifted_drain", "chained_load"}:
        assert getattr(timing, field) == getattr(SAT.tensor_engine, field)


def with_dram(clock_hz, **fields):
    return SAT.model_copy(update={"clock_hz": clock_hz, "dram": SAT.dram.model_copy(update=fields)})


@pytest.mark.parametrize(
    ("nanoseconds", "clock_hz", "cycles"),
    [
        (200, 200e6, 40),
        (201, 200e6, 41),
        (0, 200e6, 0),
        (0.001, 1e9, 1),
        (5, 1e9, 5),
        # 4.001e-9 times 1e12 is a little below 4001 in binary.
        (4.001, 1e9, 5),
        (100, 333e6, 34),
    ],
)
def test_latency_is_whole_cycles_rounded_up(nanoseconds, clock_hz, cycles):
    assert with_dram(clock_hz, latency_seconds=nanoseconds * 1e-9).dram_latency_cycles == cycles


def test_bandwidth_is_that_of_all_channels_in_bytes_a_cycle():
    design = with_dram(200e6, channels=4, channel_bytes_per_second=19.2e9)
    assert design.dram.bytes_per_second == 76.8e9
    assert design.dram_bytes_per_cycle == 384
