"""A file that is no checkpoint is told in a line, whatever torch makes of it."""

import os
import warnings

import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.training.loop.checkpoint import FIELDS, load_checkpoint, save_checkpoint


def state(**others):
    return dict.fromkeys(FIELDS) | {"model": {"weight": torch.ones(2, 3)}} | others


def test_what_was_saved_is_read(tmp_path):
    save_checkpoint(tmp_path / "c.pt", state(step=7))
    assert load_checkpoint(tmp_path / "c.pt")["step"] == 7


@pytest.mark.parametrize(
    "tensor",
    [torch.ones(2, 3).to_sparse(), torch.empty(2, device="meta"), torch.zeros(1).expand(2**44)],
    ids=["sparse", "without values", "larger than any memory"],
)
def test_a_tensor_that_no_run_saves_is_told(tmp_path, tensor):
    torch.save(state(model={"weight": tensor}, sha256="0" * 64), tmp_path / "c.pt")
    with pytest.raises(ConfigError, match=r"c\.pt: got no readable checkpoint"):
        load_checkpoint(tmp_path / "c.pt")


@pytest.mark.filterwarnings("ignore")
def test_what_torch_warns_of_is_not_told(tmp_path):
    torch.save(
        state(model={"weight": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)}), tmp_path / "c.pt"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_checkpoint(tmp_path / "c.pt")


def test_a_fifo_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "c.pt")
    with pytest.raises(ConfigError, match="got a FIFO, need a file"):
        load_checkpoint(tmp_path / "c.pt")
