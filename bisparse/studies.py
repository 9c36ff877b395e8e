"""The Python face of studies: trainings at several ratios, design spaces, what a design may be, and what it takes."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import defaults
from .configs.errors import ConfigError
from .configs.needs import check_package, check_torch
from .configs.operand_format import OperandFormat
from .configs.option import check_keywords
from .configs.run_directory import sole_owner
from .own_data import data_name
from .runs import design_of
from .sim.studies.codesign.codesign import Codesign
from .sim.studies.codesign.plan import plan
from .sim.studies.codesign.run_codesign import run_study
from .telling import Telling
from .training.settings import TrainingSettings
from .version import __version__

if TYPE_CHECKING:
    import pandas

    from .accel.resources.fit import Fit
    from .own_data import Data
    from .runs import Design
    from .sim.studies.consistency.consistency import Consistency

__all__ = ["codesign", "consistent", "explore", "fit"]


def codesign(
    model: str,
    data: str | Path | Data | Mapping[str, Data],
    recipes: Sequence[str] = ("dense", "sr-ste", "sdgp", "sdwp", "bdwp"),
    sparsities: Sequence[str | OperandFormat] | str | OperandFormat | None = None,
    *,
    sparsity: str | OperandFormat | None = None,
    out: str | Path,
    hardware: Design = defaults.HARDWARE,
    seeds: int = 3,
    jobs: int | None = None,
    device: str = "cpu",
    **settings: Any,
) -> Codesign:
    """Train recipes at several ratios, and simulate their training: accuracy beside time and energy.

    Runs are processes of their own, which import a script that has ``if __name__ == "__main__":`` and no other.

    Args:
        model: a name such as ``convnet``, or ``package.module:factory``.
        data: as for ``train``.
        recipes: shipped recipes' names, or YAML files; dense is trained in any case.
        sparsities: ratios that every recipe is trained and simulated at.
        sparsity: one ratio, as ``simulate`` takes it, in place of ``sparsities``.
        out: the study's directory, which keeps the runs; what is finished there is not trained again.
        hardware: a shipped design's name, a YAML file, or what such a file would say, as a mapping.
        seeds: runs of each point, each paired with a dense run of the same seed.
        jobs: runs at a time; as many as cores when None, or 1 on a GPU.
        device: of torch.
        **settings: see ``training.settings.TrainingSettings``: ``epochs``, ``batch``, ``learning_rate``, ...

    Returns:
        The study; ``.table`` is a DataFrame with a row a point. ``reports.write_codesign`` makes its page.

    Raises:
        BisparseError: an input is wrong, the design lacks a ratio, or ``out`` holds runs of other settings.
    """
    check_keywords(settings, TrainingSettings, signature(codesign).parameters)
    if "recipe" in settings:
        raise ConfigError(f"recipe: got recipe, need recipes, a list; try recipes=[{settings['recipe']!r}]")
    ratios = _ratios(sparsities, sparsity)
    check_torch()
    design = design_of(hardware)
    name = data_name(data, Path(out))
    planned = plan(model, name, recipes, ratios, seeds=seeds, hardware=design, **settings)
    with Telling("codesign") as told:
        return run_study(
            planned,
            Path(out),
            design,
            version=__version__,
            jobs=jobs,
            device=device,
            done=lambda _, finished, of: told("runs", finished, of),
            given=tuple(settings),
        )


def explore(
    sweep: str | Path | Mapping[str, Any],
    *,
    out: str | Path | None = None,
    jobs: int | None = None,
    dask: str | None = None,
    resume: bool = False,
) -> pandas.DataFrame:
    """Explore a design space: every design a full training step, its mappings searched.

    Processes are started for it, which import a script that has ``if __name__ == "__main__":`` and no other: one that
    registers dataflows needs that line, or ``jobs=1``.

    Args:
        sweep: a shipped sweep's name, a YAML file, or what such a file says as plain data.
        out: a directory that keeps the results as they come, and gets the report; nowhere when None.
        jobs: processes on this machine; as many as cores when None, this one alone when 1.
        dask: address of a dask.distributed scheduler, whose workers do the work instead.
        resume: go on with the study in ``out``; only what it lacks is computed.

    Returns:
        A row a design: a column for each axis, ``feasible``, ``reason``, the figures, and ``key``. What is to be said
        of the whole stands in ``.attrs["study"]``.

    Raises:
        ConfigError: the sweep is wrong, ``out`` holds a study and ``resume`` is not set, or a worker died.
    """
    check_package("simpleeval", "explore", extra="explore")
    from .sim.studies.explore.loading import load_space, space_of_data
    from .sim.studies.explore.running import run

    if isinstance(sweep, Mapping):
        space = space_of_data(sweep, version=__version__)
    else:
        space = load_space(sweep, version=__version__)
    directory = None if out is None else Path(out)
    with nullcontext() if directory is None else sole_owner(directory):
        with Telling("explore") as told:
            study = run(space, directory, version=__version__, jobs=jobs, dask=dask, resume=resume, told=told)
        if directory is not None:
            from .reports import write_exploration

            study.write(directory)
            write_exploration(study, space, directory, version=__version__)
    study.table.attrs["study"] = study.meta
    return study.table


def consistent(
    claims: str | Path,
    *,
    out: str | Path | None = None,
    draws: int | None = None,
    seed: int | None = None,
    jobs: int | None = None,
    resume: bool = False,
) -> Consistency:
    """Find what an unknown design may be: the drawn designs that agree with all that is published of one.

    Processes are started for it as for ``explore``.

    Args:
        claims: shipped claims' name, or a YAML file.
        out: a directory that keeps the runs as they come, and gets the report; nowhere when None.
        draws: designs drawn, at least 2; as the file says when None.
        seed: of the draws; likewise.
        jobs: processes on this machine; as many as cores when None, this one alone when 1.
        resume: use the runs in ``out``; only what it lacks is computed.

    Returns:
        The designs, how many agree, what is left of each unknown, the interval of each answer, and which further number
        would tell most.

    Raises:
        ConfigError: the claims are wrong, ``out`` holds runs and ``resume`` is not set, or no drawn design can run.
    """
    check_package("simpleeval", "consistent", extra="explore")
    from .sim.studies.consistency.claims import load_claims
    from .sim.studies.consistency.run_consistency import consistent as run_consistent

    loaded, sweep = load_claims(claims)
    directory = None if out is None else Path(out)
    with nullcontext() if directory is None else sole_owner(directory):
        with Telling("consistent") as told:
            found = run_consistent(
                loaded,
                sweep,
                directory,
                version=__version__,
                draws=draws,
                seed=seed,
                jobs=jobs,
                resume=resume,
                told=told,
            )
        if directory is not None:
            from .reports import write_consistency

            said = {"--draws": draws, "--seed": seed}
            more = [f"{name} {value}" for name, value in said.items() if value is not None]
            words = ["bisparse consistent", shlex.quote(str(claims)), "--out", shlex.quote(str(directory)), *more]
            write_consistency(found, directory, command=" ".join(words), keep_command=True)
    return found


def fit(hardware: Design = defaults.HARDWARE, part: str = defaults.PART) -> Fit:
    """What a design takes of an FPGA part, where it would lie, and whether it fits.

    Args:
        hardware: as for ``simulate``.
        part: a shipped part's name or a YAML file; ``bisparse hardware parts`` lists them.

    Raises:
        ConfigError: there is no such design or part, or the part's operators have none of the design's format.
    """
    from .accel.resources.fit import fit as fit_of
    from .accel.resources.parts import load_part

    return fit_of(design_of(hardware).model, load_part(part).model)


def _ratios(
    several: Sequence[str | OperandFormat] | str | OperandFormat | None, one: str | OperandFormat | None
) -> Sequence[Any]:
    if several is not None and one is not None:
        raise ConfigError("sparsity: got sparsity beside sparsities, need one of them; try sparsities=['2:4', '2:8']")
    given = (one if several is None else several) or defaults.SPARSITY
    # As the command line has them: 2:4,2:8.
    listed = given.split(",") if isinstance(given, str) else given
    return (listed,) if isinstance(listed, OperandFormat) else listed
