"""The command as its surroundings meet it, in a process of its own: imports, exit codes, signals, pipes, full disks."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "golden" / "scalesim-dense-gemm.csv"
SMALL = "resnet9-cifar10"


def in_process_of_its_own(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "bisparse", *map(str, arguments)], capture_output=True, text=True, timeout=60, **options
    )


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from bisparse.command_line import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit as left:\n    code = left.code\n"
        "print({'numpy', 'pydantic', 'yaml', 'pandas', 'plotly', 'rich', 'torch'} & set(sys.modules), code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set() 0"


def test_simulating_a_shipped_workload_needs_no_torch(tmp_path):
    code = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from bisparse.command_line import main\n"
        f"main(['simulate', '{SMALL}', '--batch', '8', '--out', 'run'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "report.html").is_file()


def test_a_mistake_leaves_one_line_and_exit_code_2(tmp_path):
    done = in_process_of_its_own("simulate", SMALL, "--hardware", "none.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "none.yaml: got no such file, need a path to a file of hardware\n"


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupt_leaves_exit_code_130_and_no_traceback():
    process = subprocess.Popen(
        [sys.executable, "-m", "bisparse", "validate", "--gemms", "1000000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A suite that runs in a shell's background ignores interrupts, and what it starts would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    # Long enough that the checks have begun; they take minutes.
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_full_disk_is_no_traceback():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "bisparse", "recipes", "list"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_seen_enough_is_no_error():
    command = f"{sys.executable} -m bisparse gemm --from {GOLDEN} --hardware systolic-textbook | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("rows,cols,dataflow")
    assert done.stderr == ""


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-"])
def test_a_closed_stream_is_no_traceback(tmp_path, closed):
    line = f"{shlex.quote(sys.executable)} -m bisparse gemm 8x8x8 {closed}"
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert bool(done.stdout) == (">&-" not in closed.split())
