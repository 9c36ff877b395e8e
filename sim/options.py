"""How a step is scheduled and timed: every option, declared once.

``Options`` holds and checks them. The command line, the keywords of the Python API, the head of a saved schedule and
``options.*`` of sweeps are derived from the same fields (``configs.option``): a new option is one field here and what
acts on it. They stand in the order in which the help lists them. Imports nothing heavy, for the sake of that help.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from ..configs.errors import ConfigError
from ..configs.option import Saved, check_options, option, options_of
from ..configs.option_kinds import Measured, NamePatterns, OneOf, SomeOf, Switch, WholeNumber
from ..training.passes.choice import Passes, PassName

if TYPE_CHECKING:
    from ..accel.specification import DataflowName, Hardware, Policy
    from ..dataflow.objective import Name
    from ..training.densities import LayerDensities
    from ..training.own_weights import OwnWeights

EngineName = Literal["analytic", "event"]
"""What finds the time of a step."""

OF_PASSES = {"pass_": "name"} | {name: name for name in ("freeze", "recompute", "accumulate", "kv_length")}
"""Options that say what of a network is run, and their names in ``Passes``."""

_OF_THE_DESIGN = "the design's policy"


def _objectives() -> Iterable[str]:
    from ..dataflow.objective import NAMES

    return NAMES


def _optimizers() -> Iterable[str]:
    from ..accel.engines import OPTIMIZERS

    return OPTIMIZERS


def _dataflows() -> Iterable[str]:
    from ..dataflow.dataflows import dataflow_names

    return dataflow_names()


def _densities() -> type:
    from ..training.densities import LayerDensities

    return LayerDensities


def _weights() -> type:
    from ..training.own_weights import OwnWeights

    return OwnWeights


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a step is scheduled.

    Attributes:
        batch: samples; the workload's own when None.
        pass_: ``training``, the whole step, ``inference``, the forward pass alone, or ``decode``, that of one token
            more on a cache.
        kv_length: tokens in the cache that a decoding step finds; as many as the workload's sequence has when 0.
        freeze: patterns of parameters, or of modules that hold them, that do not learn; commas between.
        accumulate: micro-batches of equal size that a training step is cut into, one update after all.
        recompute: modules whose activations are not kept but computed again for the backward pass: patterns with commas
            between, ``blocks`` or ``all``.
        engine: ``analytic``, closed forms in milliseconds, or ``event``, the step played.
        objective: what the mapping search minimises.
        optimizer: of the update, see ``accel.engines.OPTIMIZERS``.
        pre_generation: N:M weights made in the update stage; the design's policy when None.
        overlap_update: updates beside the backward pass; the design's policy when None.
        overlap_vector: vector work beside products that it neither needs nor feeds; the design's policy when None.
        interleave: a processing element turns between accumulations, as many as its registers hold; one at a time
            when False.
        keep_on_chip: tensors that fit stay on chip until their last use; the design's policy when None.
        causal_blocks: queries and keys of a block of causal attention: blocks of scores wholly above the diagonal are
            neither computed nor stored. 0: every score is.
        dataflows: only these; all that the design offers when None.
        densities: measured in a training run of this workload: effectual products, and energy where the design gates
            zeros. Mappings are chosen as without. None: nothing is known of zeros.
        weights: a checkpoint of this workload, whose zeros a recipe with given masks prunes, each weight in the format
            that its own keep to. None: the ratio says what is zero.
        timeline: whether the event engine keeps what happened when.
    """

    # The batch has a name of its own in sweeps.
    batch: int | None = field(
        default=None,
        metadata=option(
            WholeNumber(1),
            help="Samples.",
            metavar="B",
            example=512,
            usual="the workload's own",
            saved=Saved(binding=True),
        ),
    )
    pass_: PassName = field(
        default="training",
        metadata=option(
            OneOf(lambda: get_args(PassName)),
            help="training: forward, backward, updates; inference: the forward pass alone, as it is deployed; decode: "
            "one token more of every sequence, on a cache.",
            metavar="NAME",
            saved=Saved(unsaid="training", binding=True),
            swept=True,
        ),
    )
    kv_length: int = field(
        default=0,
        metadata=option(
            WholeNumber(0),
            help="Tokens in the cache of keys and values that --pass decode finds.",
            metavar="N",
            example=1024,
            usual="0, as many as the workload's sequence has",
            saved=Saved(unsaid=0, binding=True),
            swept=True,
        ),
    )
    freeze: str = field(
        default="",
        metadata=option(
            NamePatterns(),
            help="Parameters that do not learn, by name or by what holds them, with * and ?: no weight gradient, no "
            "update, no backward pass below the first learner.",
            metavar="A,B,...",
            saved=Saved(unsaid="", binding=True),
            swept=True,
        ),
    )
    accumulate: int = field(
        default=1,
        metadata=option(
            WholeNumber(1),
            help="Cut the step into N micro-batches of equal size, one after another, with one update.",
            metavar="N",
            example=8,
            saved=Saved(unsaid=1, binding=True),
            swept=True,
        ),
    )
    recompute: str = field(
        default="",
        metadata=option(
            NamePatterns(),
            help="Modules whose activations are computed again for the backward pass instead of kept, with * and ?; "
            "blocks: every numbered module that holds others; all: every outermost one.",
            metavar="A,B,...",
            saved=Saved(unsaid="", binding=True),
            swept=True,
        ),
    )
    engine: EngineName = field(
        default="analytic",
        metadata=option(
            OneOf(lambda: get_args(EngineName)),
            help="analytic: closed forms, milliseconds; event: the step played, with a timeline in --out of a run.",
            metavar="NAME",
            swept=True,
        ),
    )
    objective: Name = field(
        default="time",
        metadata=option(
            OneOf(_objectives),
            help="What the mapping of each product, on its own, minimises: time, energy or energy-delay (of that "
            "product, not of the step).",
            metavar="NAME",
            saved=Saved(),
            swept=True,
        ),
    )
    optimizer: str = field(
        default="sgd-momentum",
        metadata=option(
            OneOf(_optimizers), help="sgd, sgd-momentum or adam.", metavar="NAME", saved=Saved(), swept=True
        ),
    )
    pre_generation: bool | None = field(
        default=None,
        metadata=option(
            Switch(),
            help="Make N:M weights in the update, or on the way into FF and BP.",
            usual=_OF_THE_DESIGN,
            saved=Saved(),
            swept=True,
        ),
    )
    overlap_update: bool | None = field(
        default=None,
        metadata=option(
            Switch(),
            help="Update weights beside the backward pass, or after it.",
            usual=_OF_THE_DESIGN,
            saved=Saved(),
            swept=True,
        ),
    )
    overlap_vector: bool | None = field(
        default=None,
        metadata=option(
            Switch(),
            help="Run vector work beside products that it neither needs nor feeds, or in turn.",
            usual=_OF_THE_DESIGN,
            saved=Saved(unsaid=False),
            swept=True,
        ),
    )
    interleave: bool = field(
        default=True,
        metadata=option(
            Switch(),
            help="Let a processing element turn between accumulations, or work on one at a time.",
            usual="interleave",
            saved=Saved(unsaid=True, binding=True),
            swept=True,
        ),
    )
    keep_on_chip: bool | None = field(
        default=None,
        metadata=option(
            Switch(),
            help="Keep tensors that fit in the buffers until their last use, or send all through DRAM.",
            usual=_OF_THE_DESIGN,
            saved=Saved(unsaid=False),
            swept=True,
        ),
    )
    causal_blocks: int = field(
        default=0,
        metadata=option(
            WholeNumber(0),
            help="Compute causal attention in blocks of B queries by B keys, without those above the diagonal.",
            metavar="B",
            example=128,
            usual="0, every score",
            saved=Saved(unsaid=0, binding=True),
            swept=True,
        ),
    )
    dataflows: tuple[DataflowName, ...] | None = field(default=None, metadata=option(SomeOf(_dataflows), swept=True))
    # Zeros are measured for one workload and recipe: no axis.
    densities: LayerDensities | None = field(
        default=None,
        metadata=option(
            Measured(kind=_densities, loader="load_densities(run directory)"),
            help="Directory of a training run: its densities.csv says how many products have two non-zero operands.",
            metavar="DIR",
        ),
    )
    # As densities, of one workload.
    weights: OwnWeights | None = field(
        default=None,
        metadata=option(
            Measured(kind=_weights, loader="load_weights(file)"),
            help="Checkpoint of the workload (.pt, .safetensors, .index.json): its zeros, as they lie, are what is "
            "pruned. Needs a recipe whose masks are given.",
            metavar="FILE",
        ),
    )
    # Kept where a report shows it: nobody asks for it by name.
    timeline: bool = field(default=False, metadata=option(Switch()))

    def __post_init__(self) -> None:
        check_options(self)
        self.passes.check()
        if self.timeline and self.engine != "event":
            raise ConfigError(f"timeline: got {self.timeline!r}, need True or False, and engine='event' for True")

    @property
    def passes(self) -> Passes:
        """What of the network is run."""
        return Passes(**{field: getattr(self, name) for name, field in OF_PASSES.items()})

    def policy(self, hardware: Hardware) -> Policy:
        """What the scheduler may do: the design's policy where nothing is said here."""
        own = {name: getattr(self, name) for name in type(hardware.policy).model_fields}
        return hardware.policy.model_copy(update={name: said for name, said in own.items() if said is not None})

    @property
    def binding(self) -> dict[str, object]:
        """Those that a saved schedule must have been made with to be replayed."""
        return {name: getattr(self, name) for name, saved in SAVED.items() if saved.binding}

    def words(self) -> Iterator[str]:
        """The command-line options that ask for these, those that say nothing new left out."""
        for name, declared in DECLARED.items():
            value = getattr(self, name)
            if value == declared.default or not declared.help or isinstance(declared.kind, Measured):
                continue
            if isinstance(declared.kind, Switch):
                yield declared.flag if value else declared.off_flag
            else:
                yield from (declared.flag, str(value))


DECLARED = options_of(Options)
"""Every option by name."""

SWEPT = tuple(name for name, declared in DECLARED.items() if declared.swept)
"""Options that a sweep may set under ``options``."""

SAVED = {name: declared.saved for name, declared in DECLARED.items() if declared.saved is not None}
"""Options that a saved schedule says, and how."""
