"""Running an ablation: which settings are worth a row, and what each of them costs.

The base has everything off and one dataflow: output stationary, the usual one of training arrays, where the design
offers it. Dataflow choice is set against each dataflow alone. A row that the design or the step cannot have says why.
Rows share what they can: a product that two settings search alike is searched once, and a dense step is timed once for
settings that differ in pre-generation alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace

from ....accel.specification import TensorEngine
from ....configs.errors import ConfigError, MappingError
from ....configs.operand_format import OperandFormat
from ....configs.schema import Loaded
from ....training.recipes.annotation import annotate
from ....training.recipes.declaration import Recipe
from ...options import Options
from ...results.simulation_result import SimulationResult
from ...simulation import Simulator
from .ablation import SWITCHES, AblatedStep, Ablation, AblationRow, Setting, Switch

SWITCHED = ("interleave", "pre_generation", "dataflows", "overlap_update")
"""Options that an ablation sets itself."""

_ALWAYS_SHOWN: tuple[str, ...] = ("os", "ws")
"""Dataflows that have a row on every design: those that the paper's interconnect switches between."""

Progress = Callable[[str, int, int], None]


def ablate(
    simulator: Simulator, recipe: Loaded[Recipe], pattern: OperandFormat, progress: Progress | None = None
) -> Ablation:
    """Simulate a step with every optimisation off, each on alone, each off alone, and all on.

    Args:
        simulator: of the workload on the design; its options say all but the four switches.
        recipe: the method.
        pattern: its format.
        progress: told before each row: what it is, how many are done, of how many.

    Raises:
        ConfigError: the options set one of the switches, or the recipe does not fit the workload.
        MappingError: no row has a mapping for every product; the message is that of the first.
    """
    _check_options(simulator.options)
    engine = simulator.hardware.model.tensor_engine
    base = "os" if "os" in engine.dataflows else engine.dataflows[0]
    planned = tuple(_plan(engine, base, absent=_absent(simulator, recipe, pattern)))
    rows, results, first_error = [], [], None
    for done, row in enumerate(planned):
        if progress is not None:
            progress(f"ablating {simulator.workload.graph.name}", done, len(planned))
        if not row.reason:
            try:
                results.append(simulator.with_options(_options(simulator.options, row.setting)).run(recipe, pattern))
                row = replace(row, figures=_figures(results[-1]))
            except MappingError as error:
                first_error = first_error or error
                row = replace(row, reason=str(error))
        rows.append(row)
    if not results:
        assert first_error is not None, "all on is always tried"
        raise first_error
    return _ablation(results[0], base, rows)


def _check_options(options: Options) -> None:
    if options.timeline:
        raise ConfigError("timeline: got True, need it left out: an ablation keeps none")
    if options.weights is not None:
        raise ConfigError("weights: got a checkpoint, need it left out: an ablation is of a ratio; try simulate")
    if options.pass_ != "training":
        raise ConfigError(f"pass_: got {options.pass_!r}, need it left out: an ablation is of a training step")
    defaults = {each.name: each.default for each in fields(options)}
    for name in SWITCHED:
        if getattr(options, name) != defaults[name]:
            raise ConfigError(f"{name}: got {getattr(options, name)!r}, need it left out: an ablation sets it itself")


def _options(options: Options, setting: Setting) -> Options:
    return replace(
        options,
        interleave=setting.interleave,
        pre_generation=setting.pre_generation,
        overlap_update=setting.overlap_update,
        dataflows=setting.dataflows,
    )


# The rows ------------------------------------------------------------------------------------------------------------


def _absent(simulator: Simulator, recipe: Loaded[Recipe], pattern: OperandFormat) -> dict[Switch, str]:
    """Why a switch cannot be set, of those that cannot."""
    engine = simulator.hardware.model.tensor_engine
    pruned = annotate(simulator.graph_under(recipe.model), recipe.model, pattern, pre_generation=True)
    found: dict[Switch, str] = {}
    if engine.register_depth == 1:
        found["interleave"] = "not on this design: register_depth 1 holds one accumulation"
    if all(pruning.operand != "weight" for pruning in pruned.prunings.values()):
        found["pre_generation"] = "nothing to make ahead: no product of this step has N:M weights"
    if len(engine.dataflows) == 1:
        found["dataflow_choice"] = f"not on this design: it offers {engine.dataflows[0]} alone"
    return found


def _plan(engine: TensorEngine, base: str, *, absent: dict[Switch, str]) -> Iterator[AblationRow]:
    """The rows without figures."""
    offered = engine.dataflows
    singles = dict.fromkeys((base, *_ALWAYS_SHOWN, *offered))
    lacking = {each: f"not on this design: it offers {', '.join(offered)}" for each in singles if each not in offered}
    off = Setting(interleave=False, pre_generation=False, dataflows=(base,), overlap_update=False)
    on = Setting(interleave=True, pre_generation=True, dataflows=offered, overlap_update=True)
    for single in singles:
        setting = replace(off, dataflows=(single,))
        yield AblationRow(group="all off", switch="", setting=setting, reason=lacking.get(single, ""))
    for switch in SWITCHES:
        yield AblationRow(group="alone", switch=switch, setting=_turned(off, switch, on), reason=absent.get(switch, ""))
    for switch in SWITCHES:
        for single in singles if switch == "dataflow_choice" else (base,):
            reason = absent.get(switch, "") or (lacking.get(single, "") if switch == "dataflow_choice" else "")
            setting = _turned(on, switch, replace(off, dataflows=(single,)))
            yield AblationRow(group="all but", switch=switch, setting=setting, reason=reason)
    yield AblationRow(group="all on", switch="", setting=on)


def _turned(setting: Setting, switch: Switch, other: Setting) -> Setting:
    """The setting with one switch as in another."""
    name = "dataflows" if switch == "dataflow_choice" else switch
    return replace(setting, **{name: getattr(other, name)})


# Their figures -------------------------------------------------------------------------------------------------------


def _figures(result: SimulationResult) -> AblatedStep:
    return AblatedStep(
        total_cycles=result.total_cycles,
        step_seconds=result.step_seconds,
        gemm_cycles=result.by_scope["gemm"].total_cycles,
        energy_joules=result.energy_joules,
        dram_read_bytes=result.dram_read_bytes,
        dram_write_bytes=result.dram_write_bytes,
        exposed_update_cycles=result.stalls["update"],
        exposed_reduction_cycles=result.stalls["reduction"],
        stalls=result.stalls,
        array_utilisation=result.array_utilisation,
        dense_cycles=result.dense.total_cycles,
        dense_energy_joules=result.dense.energy_joules,
    )


def _ablation(result: SimulationResult, base: str, rows: list[AblationRow]) -> Ablation:
    made = Ablation(
        bisparse_version=result.bisparse_version,
        inputs=result.inputs,
        title=result.title,
        batch=result.batch,
        sparsity=result.sparsity,
        engine=result.engine,
        objective=result.objective,
        optimizer=result.optimizer,
        clock_hz=result.clock_hz,
        base_dataflow=base,
        rows=tuple(rows),
        assumptions=result.assumptions,
        passes=result.passes,
    )
    return replace(made, rows=tuple(_compared(row, made) for row in rows))


def _compared(row: AblationRow, ablation: Ablation) -> AblationRow:
    """The row with its ratios to all off and all on."""
    gain = None
    if row.group == "alone":
        gain = _ratio(ablation.base.figures, row.figures)
    elif row.group == "all but":
        gain = _ratio(row.figures, ablation.all_on.figures)
    return replace(row, speedup=_ratio(ablation.base.figures, row.figures), gain=gain)


def _ratio(slower: AblatedStep | None, faster: AblatedStep | None) -> float | None:
    if slower is None or faster is None:
        return None
    return slower.total_cycles / faster.total_cycles if faster.total_cycles else 1.0
