"""The log of a run that goes on: cut back to the checkpoint, or told in a line."""

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.training.loop.run_log import COLUMNS, RunLog

HEADER = ",".join(COLUMNS)


def test_rows_after_the_checkpoint_and_broken_ones_go(tmp_path):
    file = tmp_path / "log.csv"
    file.write_text(f"{HEADER}\n1,0,a,1,1,1\n2,0,a,1,1,1\n{'9' * 5000},0,a,1,1,1\n3,0,a,1,1,1\n2,0\n")
    with RunLog(file, after=2) as log:
        log.add(step=3, epoch=0, phase="a", learning_rate=1, loss=2, loss_scale=1)
    assert file.read_text() == f"{HEADER}\n1,0,a,1,1,1\n2,0,a,1,1,1\n3,0,a,1,2,1\n"


def test_a_log_that_is_no_text_is_told(tmp_path):
    file = tmp_path / "log.csv"
    file.write_bytes(f"{HEADER}\n1,0,a,1,\xb7,1\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"log\.csv: got byte \d+ that is not UTF-8, need UTF-8 text"):
        RunLog(file, after=2)
