"""The file of measured densities: written, read again, refused."""

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.training.densities import COLUMNS, Density, LayerDensity, load_densities, write_densities

HEADER = ",".join(COLUMNS)


def test_what_is_written_is_read_again(tmp_path):
    rows = (
        LayerDensity(epoch=1, module="a.b", input_density=1 / 3, gradient_density=1, mask_churn=0.0),
        LayerDensity(epoch=2, module="a.b", forward_weight_density=0.25, backward_weight_density=0.19),
        LayerDensity(epoch=2, module=""),
    )
    run = tmp_path / "bdwp-digits"
    run.mkdir()
    write_densities(run / "densities.csv", rows)
    assert [path.name for path in run.iterdir()] == ["densities.csv"]
    assert (run / "densities.csv").read_text().splitlines()[:2] == [HEADER, "1,a.b,0.3333333333333333,1.0,,,0.0"]
    read = load_densities(run)
    assert (read.name, read.rows) == ("bdwp-digits", rows)
    assert load_densities(run / "densities.csv") == read
    assert hash(read) == hash(load_densities(run)), "it is part of what dense steps are kept by"


def test_a_layer_has_the_mean_of_the_epochs_in_which_it_was_measured(tmp_path):
    write_densities(
        tmp_path / "densities.csv",
        [
            LayerDensity(epoch=0, module="fc", input_density=0.25, gradient_density=0.5),
            LayerDensity(epoch=1, module="fc", input_density=0.75),
        ],
    )
    assert load_densities(tmp_path).layers == {"fc": Density(input_density=0.5, gradient_density=0.5)}


def test_a_share_is_a_share():
    with pytest.raises(ConfigError, match=r"^input_density: got 1\.5, need a share from 0 to 1, or nothing$"):
        LayerDensity(epoch=0, module="fc", input_density=1.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f"1: got columns none, need {', '.join(COLUMNS)}"),
        (HEADER.replace("module", "layer"), f"1: got columns {HEADER.replace('module', 'layer').replace(',', ', ')}"),
        (HEADER, "1: got no rows, need one a layer and epoch"),
        (f"{HEADER}\n1,fc,0.5\n", "2: got 3 values, need 7, one a column"),
        (f"{HEADER}\n\n-1,fc,,,,,\n", "3: epoch: got '-1', need an integer of at least 0"),
        (f"{HEADER}\n1,fc,half,,,,\n", "2: input_density: got 'half', need a share from 0 to 1, or nothing"),
        (f"{HEADER}\n1,fc,,2,,,\n", "2: gradient_density: got 2, need a share from 0 to 1, or nothing"),
        (f"{HEADER}\n1,fc,,,,,nan\n", "2: mask_churn: got nan, need a share from 0 to 1, or nothing"),
        (f"{HEADER}\n1,fc,,,,,\n1,fc,,,,,\n", "3: module: got 'fc' twice in epoch 1, need it once"),
        (f'{HEADER}\n1,"fc,,,,,\n', "2: got broken CSV (unexpected end of data), need a row of values"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path, text, message):
    file = tmp_path / "densities.csv"
    file.write_text(text)
    with pytest.raises(ConfigError) as wrong:
        load_densities(tmp_path)
    assert str(wrong.value).startswith(f"{file}:{message}")


def test_a_missing_or_unreadable_file_says_what_to_do(tmp_path):
    with pytest.raises(ConfigError, match=r"densities\.csv: got no such file, need densities of a training run; try "):
        load_densities(tmp_path)
    with pytest.raises(ConfigError, match=r"densities\.csv: got .*, need a file that can be written"):
        write_densities(tmp_path / "nowhere" / "densities.csv", [])
    (tmp_path / "densities.csv").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="got byte 0 that is not UTF-8"):
        load_densities(tmp_path)


def test_a_forward_pass_has_the_last_epochs_and_a_training_step_the_mean(tmp_path):
    rows = [LayerDensity(epoch=epoch, module="a", input_density=share) for epoch, share in ((2, 0.25), (1, 0.75))]
    write_densities(tmp_path / "densities.csv", rows)
    found = load_densities(tmp_path)
    assert found.in_pass(inference=True)["a"].input_density == 0.25
    assert found.in_pass(inference=False)["a"].input_density == 0.5
