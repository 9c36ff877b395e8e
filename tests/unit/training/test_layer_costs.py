"""``layers.csv``: written, read back, and refused where it is wrong."""

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.configs.pattern import Pattern
from bisparse.training.graph import Stage
from bisparse.training.layer_costs import COLUMNS, LayerCost, load_layer_costs, write_layer_costs

ROW = LayerCost(
    module="body.0", stage="FF", sparsity=Pattern(2, 8), weights=64, magnitude=12.5, kept_magnitude=0.1 + 0.2,
    loss_rise=-0.01, weights_sha256="a" * 64,
)  # fmt: skip
OTHER = LayerCost(
    module="body.0", stage="BP", sparsity=Pattern(2, 8), weights=64, magnitude=12.5, kept_magnitude=0.5
)  # fmt: skip


def test_what_is_written_is_read_back_to_the_last_bit(tmp_path):
    written = write_layer_costs(tmp_path / "layers.csv", [ROW, OTHER])
    assert load_layer_costs(tmp_path) == load_layer_costs(tmp_path / "layers.csv") == written
    assert written.rows == (ROW, OTHER)
    assert written.by_place["body.0", "BP", Pattern(2, 8)] == OTHER


def test_it_knows_what_is_missing(tmp_path):
    known = write_layer_costs(tmp_path / "layers.csv", [ROW, OTHER])
    forward, backward = ("body.0", Stage.FORWARD, Pattern(2, 8)), ("body.0", Stage.BACKWARD, Pattern(2, 8))
    elsewhere = ("body.0", Stage.FORWARD, Pattern(1, 8))
    assert known.missing([forward, backward, elsewhere], sensitivity=True) == [elsewhere]
    unmeasured = write_layer_costs(tmp_path / "layers.csv", [OTHER])
    assert unmeasured.missing([backward], sensitivity=True) == [], "of BP no rise is measured"


def test_rows_of_other_weights_are_left_out(tmp_path):
    known = write_layer_costs(tmp_path / "layers.csv", [ROW, OTHER])
    assert known.of_weights("a" * 64).rows == (ROW,)
    assert known.of_weights("b" * 64).rows == ()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("body,WU,2:8,64,1,0.5,,", "2: stage: got 'WU', need FF or BP"),
        ("body,FF,9:8,64,1,0.5,,", "2: sparsity: got 9:8"),
        ("body,FF,2:8,0,1,0.5,,", "2: weights: got 0, need a number of at least 1"),
        ("body,FF,2:8,64,-1,0.5,,", "2: magnitude: got -1, need a number of at least 0"),
        ("body,FF,2:8,64,1,1.5,,", "2: kept_magnitude: got 1.5, need a number from 0 to 1"),
        ("body,FF,2:8,64,1,0.5,nan,", "2: loss_rise: got nan, need a number"),
        ("body,FF,2:8,64,1,half,,", "2: kept_magnitude: got 'half', need a number"),
        ("body,FF,2:8,64", "2: got 4 values, need 8, one a column"),
        ("body,FF,2:8,64,1,0.5,,\nbody,FF,2:8,64,1,0.5,,", "3: got body FF at 2:8 twice, need it once"),
    ],
)
def test_a_wrong_row_is_told_with_its_line(tmp_path, row, message):
    file = tmp_path / "layers.csv"
    file.write_text(f"{','.join(COLUMNS)}\n{row}\n")
    with pytest.raises(ConfigError) as wrong:
        load_layer_costs(file)
    assert str(wrong.value).startswith(f"{file}:{message}")


def test_no_file_and_other_columns_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"layers.csv: got no such file"):
        load_layer_costs(tmp_path / "layers.csv")
    (tmp_path / "layers.csv").write_text("a,b\n")
    with pytest.raises(ConfigError, match=r"layers.csv:1: got columns a, b, need module, stage"):
        load_layer_costs(tmp_path)
