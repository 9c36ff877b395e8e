"""The frozen cases: which steps, ablations, products and training runs, in units that share their searches."""

from dataclasses import dataclass, field
from itertools import product
from typing import Any

from bisparse.configs.library import names

ENGINES = ("analytic", "event")
SPARSITY = "2:8"
SAT = "sat-vcu1525"

SKIPPING = ("sat-unstructured", "sat-intersection")
"""SAT whose PEs skip more: what asks for none of it costs as on SAT, and is frozen there."""

TIMED = "sat-vcu1525-timed"
"""SAT with another model of its memory, which takes ten times as long to search: two recipes."""

OTHERS = tuple(name for name in names("hardware") if name not in (*SKIPPING, TIMED))
"""The other designs."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One computation whose outcome is frozen.

    Attributes:
        kind: ``step``, ``ablation``, ``product``, ``training`` or ``wild``.
        file: that holds its outcome.
        workload: name, or MxNxK of a product.
        recipe: name; the dataflow of a product.
        hardware: name of the shipped design.
        sparsity: N:M.
        engine: ``analytic`` or ``event``.
        options: of a step, as JSON has them.
        changes: of the design, nested.
        training_steps: of a training run.
        whole: whether the whole document of a step is frozen.
    """

    kind: str
    file: str
    workload: str
    recipe: str
    hardware: str
    sparsity: str = SPARSITY
    engine: str = "analytic"
    options: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    training_steps: int = 0
    whole: bool = False

    @property
    def key(self):
        """What names the case, in its file and on the screen."""
        said = [self.workload, self.recipe, self.sparsity, self.hardware, self.engine]
        said += [f"{name}={_word(value)}" for name, value in self.options.items()]
        said += [f"{part}.{name}={_word(value)}" for part, of in self.changes.items() for name, value in of.items()]
        if self.training_steps:
            said.append(f"steps={self.training_steps}")
        return " ".join((self.kind, *said, *(["whole"] if self.whole else [])))

    @property
    def unit(self):
        """Cases of one unit are measured together, for they share searches."""
        return (self.kind == "wild", self.hardware, "products" if self.kind == "product" else self.workload)


def _word(value):
    return ",".join(value) if isinstance(value, list) else str(value)


def all_cases():
    """Every case but the wild ones, which ``wild.py`` has."""
    return [*shipped_steps(), *steps_with_options(), *whole_steps(), *ablations(), *products(), *trainings()]


def shipped_steps():
    """Every shipped workload, recipe and design, by both engines; of the long one, another's network, a few.

    Steps of recipes whose masks are given differ in what they declare beside products: on two designs. Those that
    skip more than SAT does have the recipe that asks for it, and one that does not.
    """
    others = [name for name in names("workloads") if name not in (_LONG, _RECURRENT)]
    recipes = _everywhere()
    every = (
        *product(ENGINES, OTHERS, others, recipes),
        *product(ENGINES, SKIPPING, others, ("static-masks", "bdwp")),
        *product(ENGINES, (TIMED,), others, ("dense", "bdwp")),
        *product(ENGINES, (SAT, "sat-unstructured"), others, _DECLARED),
        *product(ENGINES, ("sat-unstructured",), ("resnet9-cifar10",), _REWRITING),
        *product(ENGINES[:1], (SAT,), ("resnet9-cifar10",), _NARROWER),
        *product(ENGINES, (SAT,), ("resnet9-cifar10", "gpt2-small"), _NEWER),
        *product(ENGINES[:1], ("sat-unstructured",), ("resnet9-cifar10",), _NEWER),
        *product(ENGINES, (SAT, "sat-unstructured"), (_RECURRENT,), ("dense", "bdwp", *_OF_CELLS)),
        *product(ENGINES[:1], ("systolic-textbook",), (_RECURRENT,), ("dense",)),
        *product(ENGINES[:1], (SAT, "systolic-textbook"), (_LONG,), ("dense", "bdwp")),
    )
    for engine, hardware, workload, recipe in every:
        yield Case(
            kind="step",
            file=f"steps-{engine}",
            workload=workload,
            recipe=recipe,
            hardware=hardware,
            engine=engine,
        )
    for recipe in _KERNELS:
        yield Case(
            kind="step",
            file="options",
            workload="resnet9-cifar10",
            recipe=recipe,
            hardware="sat-unstructured",
            options={"pass_": "inference"},
        )


def _everywhere():
    """Recipes that are frozen on every design; what is left out is frozen where it differs."""
    left_out = {*_DECLARED, *_KERNELS, *_REWRITING, *_NARROWER, *_NEWER, *_OF_CELLS}
    return [name for name in names("recipes") if name not in left_out]


_LONG = "gpt2-small-8k"
_RECURRENT = "lstm-text"
_OF_CELLS = ("random-graph-rnn", "sparse-rnn")
_KERNELS = ("cpu-spmm", "fast-sparse-convnets", "sparsebytenn")
_REWRITING = ("dass", "sparse-ift-doped", "sparse-ift-factorised", "sparse-ift-parallel", "sparse-ift-wide")
_NARROWER = (
    "hesso", "lapp", "masksparsity", "otov3", "precropping", "random-search", "rethinking-pruning",
    "rethinking-pruning-fine-tuned", "sortednet", "spa", "spa-before", "udfc", "wgsef",
)  # fmt: skip
_NEWER = (
    "essential-sparsity", "fully-sparse", "iss-p", "journey-matters", "pdp", "random-uniform", "s-ste", "slope", "snip",
    "sparse-activations", "tasd",
)  # fmt: skip
_DECLARED = ("cl-dst", "granet", "lottery-ticket", "random-erk", "rigl", "sparse-model-soups", "spdf")


# Options -------------------------------------------------------------------------------------------------------------

OPTIONS = (
    {"batch": 1},
    {"batch": 3, "optimizer": "adam"},
    {"optimizer": "sgd"},
    {"optimizer": "adam"},
    {"optimizer": "adam-watched"},
    {"optimizer": "adam-frozen"},
    {"objective": "energy"},
    {"objective": "energy-delay"},
    {"pre_generation": False},
    {"pre_generation": False, "overlap_update": False, "optimizer": "adam"},
    {"overlap_update": False},
    {"overlap_vector": True},
    {"overlap_vector": True, "keep_on_chip": True},
    {"overlap_vector": True, "overlap_update": False, "pre_generation": False},
    {"keep_on_chip": False},
    {"keep_on_chip": True, "batch": 2},
    {"keep_on_chip": True, "batch": 2, "objective": "energy", "optimizer": "adam"},
    {"overlap_vector": True, "batch": 2},
    {"dataflows": ["os"]},
    {"dataflows": ["ws"]},
    {"dataflows": ["is"]},
    {"interleave": False},
    {"interleave": False, "objective": "energy", "dataflows": ["ws"]},
    {"densities": True},
)
"""Options under which a step is frozen, one at a time and some together."""

PATTERNS = ("1:1", "1:4", "2:4", "1:8", "4:8", "1:16", "2:16", "4:16", "3:7", "8:8")
"""Every N:M of the shipped designs beside 2:8, one that none has, and two that are dense."""

CHANGES = (
    {"tensor_engine": {"zero_gating": True}},
    {"tensor_engine": {"overlapped": False}},
    {"tensor_engine": {"drain": "wire", "stationary_load": "latch"}},
    {"tensor_engine": {"compressed_west": True, "compressed_moving": True}},
    {"tensor_engine": {"swap_operands": False, "register_depth": 1}},
    {"buffers": {"tiles_held": 3}},
    {"buffers": {"patch_expansion": False}},
    {"policy": {"overlap_vector": True}},
)
"""Other switches of the reference design."""

SHARES = ("80%", "37.5%", "75% block 4x16")
"""Zeros without a rule, alone and in blocks, under a recipe whose masks are given."""

_EVERYWHERE = ("resnet9-cifar10",)
_ON_SAT = ("resnet18-tinyimagenet", "vit-cifar10")
_LARGE = "mobilenet-v2-imagenet"
_OF_THE_LARGE = ({"batch": 1}, {"overlap_vector": True}, {"keep_on_chip": True, "batch": 2}, {"pre_generation": False})


def steps_with_options():
    """Each option, each N:M and each switch of a design, by both engines."""
    for engine in ENGINES:
        for hardware, sparsity in product(SKIPPING, SHARES):
            yield _option_case(engine, *_EVERYWHERE, "static-masks", hardware, sparsity=sparsity)
        for workload, hardware in (*product(_EVERYWHERE, OTHERS), *product(_ON_SAT, (SAT,))):
            recipes = ("bdwp", "sdgp") if (workload, hardware) == ("resnet9-cifar10", SAT) else ("bdwp",)
            for options, recipe in product(OPTIONS, recipes):
                yield _option_case(engine, workload, recipe, hardware, options=options)
            for sparsity, recipe in product(PATTERNS, recipes):
                yield _option_case(engine, workload, recipe, hardware, sparsity=sparsity)
            for sparsity in SHARES:
                yield _option_case(engine, workload, "static-masks", hardware, sparsity=sparsity)
        for options in _OF_THE_LARGE:
            yield _option_case(engine, _LARGE, "bdwp", SAT, options=options)
        for sparsity in ("2:4", "1:8"):
            yield _option_case(engine, _LARGE, "bdwp", SAT, sparsity=sparsity)
        for changes, recipe in product(CHANGES, ("bdwp", "sdgp", "transposable")):
            options = {"densities": True} if "zero_gating" in changes.get("tensor_engine", {}) else {}
            yield _option_case(engine, "resnet9-cifar10", recipe, SAT, changes=changes, options=options)
    for workload in ("resnet9-cifar10", "resnet18-tinyimagenet"):
        yield _option_case("event", workload, "bdwp", SAT, options={"timeline": True})


def _option_case(engine, workload, recipe, hardware, **more):
    return Case(kind="step", file="options", engine=engine, workload=workload, recipe=recipe, hardware=hardware, **more)


def whole_steps():
    """Steps whose whole documents are frozen."""
    for engine, hardware in product(ENGINES, names("hardware")):
        recipe = "dense" if hardware == "systolic-textbook" else "bdwp"
        yield _whole(engine, "resnet18-tinyimagenet", recipe, hardware)
    for engine, options in product(ENGINES, OPTIONS):
        if options.keys() & {"overlap_vector", "keep_on_chip", "pre_generation", "densities", "objective"}:
            yield _whole(engine, "resnet9-cifar10", "bdwp", SAT, options=options)
    for engine, recipe in product(ENGINES, ("sdgp", "bi-mask")):
        yield _whole(engine, "vit-cifar10", recipe, "edge-16x16")


def _whole(engine, workload, recipe, hardware, options=None):
    return Case(
        kind="step",
        file="documents",
        engine=engine,
        workload=workload,
        recipe=recipe,
        hardware=hardware,
        options=options or {},
        whole=True,
    )


# Other documents -----------------------------------------------------------------------------------------------------


def ablations():
    """Ablations on small networks."""
    resnet9, resnet18 = "resnet9-cifar10", "resnet18-tinyimagenet"
    for hardware, recipe in product(names("hardware"), ("bdwp", "sdgp", "dense")):
        yield Case(kind="ablation", file="ablations", workload=resnet9, recipe=recipe, hardware=hardware)
    yield Case(kind="ablation", file="ablations", workload=resnet9, recipe="bdwp", hardware=SAT, engine="event")
    yield Case(kind="ablation", file="ablations", workload=resnet18, recipe="bdwp", hardware=SAT)
    for options in ({"objective": "energy", "batch": 8}, {"overlap_vector": True}, {"keep_on_chip": False}):
        yield Case(kind="ablation", file="ablations", workload=resnet9, recipe="bdwp", hardware=SAT, options=options)


PRODUCTS = (
    "512x512x4096",
    "1x1000x512",
    "37x53x71",
    "4096x64x576",
    "128x3072x768",
    "16384x512x27",
    "1x1x1",
    "33x7x100",
)


def products():
    """Single products by every dataflow, dense and sparse, on every design."""
    for hardware, size, sparsity, dataflow in product(
        OTHERS, PRODUCTS, ("1:1", "2:8", "1:4", "2:16"), ("best", "os", "ws", "is")
    ):
        yield Case(
            kind="product", file="products", workload=size, recipe=dataflow, hardware=hardware, sparsity=sparsity
        )


def trainings():
    """Whole training runs of every recipe on a small network, and some more of those that change over time."""

    def case(workload, recipe, hardware, **more):
        return Case(kind="training", file="trainings", workload=workload, recipe=recipe, hardware=hardware, **more)

    resnet9 = "resnet9-cifar10"
    recipes = _everywhere()
    every = (
        *product(OTHERS, recipes, ("sgd-momentum", "adam")),
        *product((SAT, "sat-unstructured"), _DECLARED, ("sgd-momentum", "adam")),
        *product((SAT, "sat-unstructured"), _NEWER, ("sgd-momentum",)),
        *product((SAT,), _NARROWER, ("sgd-momentum",)),
    )
    for hardware, recipe, optimizer in every:
        yield case(resnet9, recipe, hardware, training_steps=1000, options={"optimizer": optimizer})
    for recipe in ("step", "sdgf-stepwise", "sdgf-geometric", "mdgf-linear"):
        yield case(resnet9, recipe, SAT, training_steps=1000, engine="event")
        yield case(resnet9, recipe, SAT, training_steps=7, sparsity="1:16")
        yield case("resnet18-tinyimagenet", recipe, SAT, training_steps=78125)
