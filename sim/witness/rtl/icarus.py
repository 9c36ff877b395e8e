"""A bench run by Icarus Verilog, in a folder that is gone afterwards."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping as Names
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from ....configs.errors import ConfigError

_ROOT = __name__.rsplit(".", 4)[0]
_PATIENCE_SECONDS = 600


def found() -> bool:
    """Whether this machine can run a bench."""
    return all(map(shutil.which, ("iverilog", "vvp")))


def design() -> dict[str, str]:
    """The texts of the hardware, ``accel/rtl``, by file."""
    folder = resources.files(f"{_ROOT}.accel") / "rtl"
    return {each.name: each.read_text(encoding="utf-8") for each in folder.iterdir() if each.name.endswith(".sv")}


def simulate(bench: str, top: str, files: Names[str, str]) -> list[str]:
    """What a bench prints, line by line.

    Args:
        bench: file of this folder that the top instantiates from.
        top: text of a module named ``top``.
        files: texts by name, which the bench reads.

    Raises:
        ConfigError: there is no Icarus Verilog.
        RuntimeError: the bench is no SystemVerilog to it, or found a hazard.
    """
    if not found():
        raise ConfigError("iverilog: got no program of that name, need Icarus Verilog; try apt-get install iverilog")
    own = (resources.files(__name__.rpartition(".")[0]) / bench).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in {**design(), bench: own, "top.sv": top, **files}.items():
            (folder / file).write_text(text, encoding="utf-8")
        names = sorted(each.name for each in folder.glob("*.sv"))
        _do(["iverilog", "-g2012", "-s", "top", "-o", "bench.vvp", *names], folder)
        return _do(["vvp", "-n", "bench.vvp"], folder).splitlines()


def _do(command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False)
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise RuntimeError(f"{command[0]} left with {done.returncode}:\n{said}")
    return done.stdout


def top_of(module: str, parameters: Names[str, Names[str, int | str]]) -> str:
    """A top with several benches, which ends when every one of them is done.

    Args:
        module: the bench.
        parameters: of each, by the bench's name.
    """
    lines = ["module top;"]
    for name, given in parameters.items():
        texts = (f'.{key}("{value}")' if isinstance(value, str) else f".{key}({value})" for key, value in given.items())
        lines += [f"  wire done_{name};", f"  {module} #({', '.join(texts)}) {name} (.done(done_{name}));"]
    done = " && ".join(f"done_{name}" for name in parameters)
    return "\n".join([*lines, f"  always @(*) if ({done}) $finish;", "endmodule", ""])
