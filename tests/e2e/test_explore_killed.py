"""Studies that are killed without warning, and resumed: the same final table, row for row."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

import pytest
import yaml
from bisparse.training.graph_file import save_graph

from ..unit.dataflow.hand_made import MLP

pytest.importorskip("simpleeval")

SWEEP = {
    "name": "killed",
    "base": {
        "hardware": "sat-vcu1525", "workload": "resnet9-cifar10", "recipe": "bdwp", "sparsity": "2:8", "batch": 16,
    },
    "axes": {
        "hardware.tensor_engine.rows": [16, 24, 32, 64],
        "hardware.dram.channels": [1, 2, 3, 4],
        "hardware.reduction_engine.lanes": [4, 8, 16, 32],
    },
    "objectives": [{"minimise": "step_seconds"}, {"minimise": "energy_joules"}],
}  # fmt: skip

STUDY = """
import sys
from pathlib import Path
from bisparse.sim.studies.explore import running
from bisparse.sim.studies.explore.loading import load_space
from bisparse.sim.studies.explore.space import Space
running.LARGEST_CHUNK = 8
if __name__ == "__main__":
    space = load_space(sys.argv[1], version="1")
    study = running.run(space, Path(sys.argv[2]), version="1", jobs=2, resume=True)
    study.write(Path(sys.argv[2]))
"""


def test_killed_at_random_and_resumed(tmp_path):
    (tmp_path / "killed.yaml").write_text(yaml.safe_dump(SWEEP, sort_keys=False))
    (tmp_path / "study.py").write_text(STUDY)
    draw, kills, stored = random.Random(1), 0, [0]

    def start(name):
        return subprocess.Popen([sys.executable, "study.py", "killed.yaml", name], cwd=tmp_path, start_new_session=True)

    assert start("whole").wait(timeout=120) == 0
    while kills < 3:
        process = start("cut")
        # Some die before the first row, some while rows are written.
        until = time.monotonic() + draw.choice([0.8, 2.0, 2.3, 2.6, 3.0])
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        if process.poll() is not None:
            break
        # The process alone: its workers must notice by themselves.
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
        stored.append(rows_in(tmp_path / "cut" / "study.sqlite"))
    assert kills, "it was never cut short"
    assert stored == sorted(stored), "no row that was written is lost"
    assert start("cut").wait(timeout=120) == 0
    for name in ("designs.csv", "designs.parquet"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupt_leaves_at_once_and_says_how_to_go_on(tmp_path):
    # The time is estimated from the small step; a batch of the large one takes longer than anybody waits.
    save_graph(MLP, tmp_path / "small.json")
    axes = SWEEP["axes"] | {"hardware.tensor_engine.cols": [16, 32, 64]}
    sweep = SWEEP | {"axes": axes, "scenarios": {"workload": ["resnet50-imagenet", "./small.json"]}}
    (tmp_path / "killed.yaml").write_text(yaml.safe_dump(sweep, sort_keys=False))
    process = subprocess.Popen(
        [sys.executable, "-m", "bisparse", "explore", "killed.yaml", "--out", "cut", "--jobs", "2"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # What runs in a shell's background ignores interrupts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        while not (tmp_path / "cut" / "study.sqlite").exists():
            assert process.poll() is None
            time.sleep(0.1)
        time.sleep(2)
        # A terminal interrupts the workers, too.
        os.killpg(process.pid, signal.SIGINT)
        interrupted = time.monotonic()
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert time.monotonic() - interrupted < 5
    assert process.returncode == 130
    assert said.splitlines()[-1].endswith("what was finished is kept: bisparse explore killed.yaml --out cut --resume")
    assert "Traceback" not in said


def rows_in(path):
    if not path.exists():
        return 0
    with sqlite3.connect(path) as database:
        try:
            return database.execute("SELECT count(*) FROM run").fetchone()[0]
        except sqlite3.OperationalError:
            # Killed before the tables were made.
            return 0
