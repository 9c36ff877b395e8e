"""The kernels compiled by numba: once on a machine, then loaded from a folder of the user's cache.

Plain functions are registered with the compiler, which takes them as they stand where a kernel calls them. What was
compiled is kept in a folder named after the sources, so that a change of any formula is never missed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from ...accel import dram, energy, engines, tensor_engine
from ...configs import arrays
from ...configs.cache_folder import cache_folder
from ...configs.whole_file import write_whole
from .. import (
    actions,
    block_formulas,
    gemm,
    holding,
    loop_nest,
    mapping,
    memory_floor,
    objective,
    pipeline,
    tile_floors,
    tile_time,
    traffic,
)
from ..dataflows import tile
from ..dataflows.formulas import Formulas
from ..formats import stored
from . import blocks, case, floors, kernel, room, steps, walk
from .kernel import Kernel

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

_CALLED: tuple[Callable[..., Any], ...] = (
    tensor_engine.ceil_div,
    tensor_engine.output_stationary_interleave,
    tensor_engine.output_stationary_folds,
    tensor_engine.output_stationary_fold,
    tensor_engine.output_stationary_cycles,
    tensor_engine.output_stationary_handover,
    tensor_engine.weight_stationary_folds,
    tensor_engine.weight_stationary_fold,
    tensor_engine.weight_stationary_period,
    tensor_engine.weight_stationary_cycles,
    tensor_engine.weight_stationary_handover,
    tensor_engine.cycles_to_next,
    dram.rounded_up,
    dram.in_bursts,
    dram.work_of_runs,
    dram.paced_cycles,
    engines.reduction_cycles,
    energy.joules_of,
    actions.counts_on_array,
    actions.counts_in_memory,
    gemm.part_of,
    objective.joules_in_all,
    objective.slower_by_a_part,
    tile.folds_along,
    block_formulas.window_elements,
    block_formulas.kept_of_window,
    block_formulas.on_diagonal,
    block_formulas.a_run,
    block_formulas.a_stride,
    block_formulas.b_run,
    block_formulas.b_stride,
    block_formulas.c_run,
    block_formulas.c_stride,
    holding.bytes_to_work,
    holding.bytes_to_keep,
    memory_floor.least_dram_cycles,
    memory_floor.least_unhidden_cycles,
    pipeline.dma_cycles,
    stored.stored_bytes,
    stored.least_stored_bytes,
    tile_time.operand_bytes,
    tile_time.output_bytes,
    traffic.fetches,
    traffic.moved_in_all,
)
"""Formulas that kernels and steps call, and those that these call."""

_BUILT = "built"
"""A file beside what is compiled that says that all of it is there."""

_STEPS: tuple[Callable[..., Any], ...] = (
    blocks.block_of_a,
    blocks.block_of_b,
    blocks.put,
    blocks.count_block,
    blocks.count_result,
    steps.array_of,
    steps.copies_to,
    steps.place_of,
    steps.sizes_of,
    steps.turning,
    steps.loop_orders,
    steps.full_tiles,
    steps.first_request,
    steps.moved_again,
    steps.time_transfers,
    steps.move,
    steps.weigh_axis,
    steps.weigh,
    steps.look,
    walk.hand_over,
    walk.until_next,
    walk.walked,
    steps.spend,
    steps.tiling_of,
    steps.operands_in_all,
    steps.all_kept,
    steps.is_before,
    steps.is_thriftier,
    steps.take,
    room.new_room,
    room.kept_of,
    room.fold_all,
    room.pass_ports,
    room.once,
    room.go_below,
    room.look_around,
    room.count_tiles,
    room.is_there,
)
"""What kernels are put together from."""


def is_installed() -> bool:
    """Whether there is a compiler."""
    return importlib.util.find_spec("numba") is not None


def is_built() -> bool:
    """Whether what this machine compiled once lies ready."""
    if not is_installed():
        return False
    folder = _folder()
    return folder is not None and (folder / _BUILT).exists()


def build_once(compile_all: Callable[[], object]) -> None:
    """Have all kernels compiled where they have not been on this machine: by one process, while others wait for it.

    Args:
        compile_all: calls each kernel once.
    """
    folder = _folder()
    if folder is None or not _is_made(folder):
        compile_all()
        return
    with _held(folder):
        if not is_built():
            compile_all()
            write_whole(folder / _BUILT, "")


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a folder, when others let go of it; not where there are no locks."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if fcntl is not None:
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@cache
def compiled(formulas: Formulas) -> Kernel:
    """The kernels of a dataflow's formulas, compiled when they are called first.

    Raises:
        ImportError: numba is not installed.
    """
    numba = _numba()
    plain = (formulas.cycles, formulas.handover, formulas.sends, formulas.repeats)
    own = (*plain, formulas.all_sends, formulas.least_cycles, formulas.least_sends, formulas.hops)
    parts = kernel.parts_of(formulas)
    for function in (*own, *parts.called):
        _register(function)
    # Of a dataflow from elsewhere nobody knows when its source changes.
    package = __package__.partition(".compiled")[0]
    keep = all(function.__module__.startswith(package) for function in own) and _choose_folder(
        numba, formulas.cycles.__module__.rpartition(".")[2]
    )
    return Kernel(*(_compiled(numba, function, keep=keep) for function in parts.kernel))


class Laying(NamedTuple):
    """The functions of ``blocks`` of these names, compiled."""

    lay_a: Callable[..., None]
    lay_b: Callable[..., None]
    lay_c: Callable[..., None]
    add_up: Callable[..., None]


@cache
def laying() -> Laying:
    """What works out blocks, compiled when it is called first.

    Raises:
        ImportError: numba is not installed.
    """
    numba = _numba()
    keep = _choose_folder(numba, "blocks")
    return Laying(*(_compiled(numba, getattr(blocks, name), keep=keep) for name in Laying._fields))


def _compiled(numba: Any, function: Callable[..., Any], *, keep: bool) -> Any:
    """A function as the compiler has it, whose work is found again by types alone where it is kept.

    The compiler would add a hash of what a closure holds, pickled: other bytes in a process that read the sources than
    in one that read what Python made of them, so that everything was compiled again. The folder stands for the sources.
    """
    made = numba.njit(function, cache=keep, error_model="numpy")
    if keep:
        made._cache._index_key = lambda signature, codegen: (signature, codegen.magic_tuple())
    return made


@cache
def _numba() -> Any:
    """The compiler, told of all functions that kernels call."""
    import numba
    from numba.core import types
    from numba.extending import overload

    @overload(arrays.choose, strict=False)
    def choose_one(condition: Any, then: Any, otherwise: Any) -> Any:
        if isinstance(condition, types.Boolean):
            return lambda condition, then, otherwise: then if condition else otherwise
        return None

    for function in (*_CALLED, *_STEPS):
        _register(function)
    return numba


@cache
def _register(function: Callable[..., Any]) -> None:
    from numba.extending import register_jitable

    register_jitable(error_model="numpy")(function)


@cache
def _folder() -> Path | None:
    """Where what is compiled is kept, of the user's cache; None where there is no such place."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    parent = Path(chosen) if chosen else cache_folder("compiled")
    return None if parent is None else parent / _digest(version("numba"))


def _choose_folder(numba: Any, name: str) -> bool:
    """Have the compiler keep its work there, each dataflow's apart, in a folder of a name; False where it cannot."""
    parent = _folder()
    if parent is None:
        return False
    folder = parent / name
    if not _is_made(folder):
        return False
    numba.config.CACHE_DIR = str(folder)
    return os.access(folder, os.W_OK)


def _is_made(folder: Path) -> bool:
    """Whether a folder is there, made if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return True


def _digest(of_numba: str) -> str:
    """A name for the sources of everything that is compiled, for where they lie and who compiles them."""
    found = hashlib.sha256(f"{of_numba} {sys.version} {__file__}".encode())
    modules = {sys.modules[function.__module__] for function in (*_CALLED, *_STEPS)} | {
        blocks,
        case,
        floors,
        kernel,
        arrays,
        loop_nest,
        mapping,
        tile_floors,
    }
    files = {Path(__file__), *(Path(str(module.__file__)) for module in modules)}
    for file in sorted(files | set(Path(str(tile.__file__)).parent.glob("*.py"))):
        found.update(file.read_bytes())
    return found.hexdigest()[:16]
