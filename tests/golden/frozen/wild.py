"""Designs that no architect would draw, written out once so that nobody needs to draw them again, and their figures.

``python tests/golden/freeze.py --draw`` drew them, with the generator of ``tests/property/wild_designs.py``, and writes
them anew: for when a design's fields have changed and not for anything else.
"""

import importlib.util
from dataclasses import dataclass
from itertools import count, groupby
from pathlib import Path

from bisparse.sim.studies.explore.evaluation import evaluate
from bisparse.sim.studies.explore.one_by_one import simulate_point
from bisparse.sim.studies.explore.point import Point

from . import files, inputs
from .measuring import VERSION, as_read

DESIGNS = "wild-designs"
GROUPS, IN_A_GROUP = 20, 8
EVENT_DESIGNS = 2
"""So many designs of a group are also played by events, where the network is small."""

WORKLOADS = ("resnet9-cifar10", "vit-cifar10", "resnet9-cifar10", "resnet18-tinyimagenet", "vgg19-cifar100")
RECIPES = ("bdwp", "bdwp", "sdgp", "sr-ste", "bi-mask", "transposable", "dense", "step")
PATTERNS = ("2:8", "2:8", "2:4", "1:8", "1:16", "4:8", "3:7")
REFUSING = (1, 9)
"""Groups that keep the patterns of their preset; the others have all that are drawn, so that most designs run."""

ONE_BY_ONE = (
    {"objective": "energy"},
    {"overlap_vector": True},
    {"objective": "energy-delay", "interleave": False},
    {"overlap_vector": True, "keep_on_chip": False, "overlap_update": False},
    {"densities": True},
    {"dataflows": ["os"]},
)
"""Options of the last groups, most of which are not evaluated side by side today."""


@dataclass(frozen=True, kw_only=True)
class WildGroup:
    """Designs of one kind, which are evaluated side by side.

    Attributes:
        number: of the group.
        points: as the file has them.
    """

    number: int
    points: tuple[dict, ...]

    @property
    def key(self):
        """What names the group."""
        return f"wild {self.number:02}"

    def outcome_keys(self):
        """Keys of its outcomes."""
        found = [_key(self.number, place) for place in range(len(self.points))]
        return found + [f"{_key(self.number, place)} by events" for place in self._played()]

    def _played(self):
        small = self.points[0]["workload"] == "resnet9-cifar10"
        return range(EVENT_DESIGNS) if small else range(0)

    def designs(self, engine="analytic"):
        """Its designs, to be timed by an engine."""
        return [_design(point, engine) for point in self.points]

    def together(self):
        """Outcomes by key, evaluated side by side."""
        found = map(_outcome, evaluate(self.designs(), VERSION))
        return {_key(self.number, place): each for place, each in enumerate(found)}

    def measured(self):
        """Outcomes by key: simulated one by one; and what is found side by side, where that is another."""
        found = {}
        together = self.together()
        for place, design in enumerate(self.designs()):
            key = _key(self.number, place)
            alone = _outcome(simulate_point(design, VERSION))
            found[key] = alone if repr(together[key]) == repr(alone) else alone | {"side by side": together[key]}
        return found | self.by_events()

    def by_events(self):
        """Outcomes of the first designs by the event engine."""
        designs = self.designs(engine="event")
        return {
            f"{_key(self.number, place)} by events": _outcome(simulate_point(designs[place], VERSION))
            for place in self._played()
        }


def groups():
    """The written groups."""
    points = files.read_lines(DESIGNS)
    return [
        WildGroup(number=number, points=tuple(members))
        for number, members in groupby(points, key=lambda point: point["group"])
    ]


def _key(group, place):
    return f"wild {group:02}-{place}"


def _design(point, engine):
    network = inputs.workload(point["workload"])
    return Point(
        hardware=inputs.hardware(point["hardware"], point["changes"]),
        workload=network,
        recipe=inputs.recipe(point["recipe"]),
        pattern=inputs.pattern(point["sparsity"]),
        options=inputs.options(point["options"], network, engine),
    )


def _outcome(outcome):
    return as_read({"reason": outcome.reason} if outcome.figures is None else {"figures": outcome.figures})


# Drawing -------------------------------------------------------------------------------------------------------------


def draw():
    """Draw the designs and write them out."""
    files.write_lines(DESIGNS, [point for group in range(GROUPS) for point in _drawn(group)])


def _drawn(group):
    generator = _generator()
    presets = generator.PRESETS
    preset = presets[(group + group // len(presets)) % len(presets)]
    # Seeds are tried in turn until one gives the preset whose turn it is: every one has as many groups.
    tries = (generator.Draw(1000 * group + number) for number in count())
    choice, kind = next((each, found) for each in tries if (found := generator.wild_kind(each)).model.name == preset)
    hardware = [generator.wild_numbers(choice, kind) for _ in range(IN_A_GROUP * 2 // 3)]
    first = GROUPS - len(ONE_BY_ONE)
    more = ONE_BY_ONE[group - first] if group >= first else {}
    for _ in range(IN_A_GROUP):
        loaded = choice.one(*hardware)
        name = loaded.model.name
        options = {"batch": choice.one(2, 8, 8), "optimizer": choice.one("sgd-momentum", "adam")}
        if group % 4 == 3:
            options["interleave"] = False
        if choice.chance(0.3):
            options["pre_generation"] = True
        changes = _changes(inputs.hardware(name).model.model_dump(), loaded.model.model_dump())
        assert inputs.hardware(name, changes).model == loaded.model, "what is written is what was drawn"
        if group not in REFUSING:
            changes.setdefault("tensor_engine", {})["patterns"] = list(dict.fromkeys(PATTERNS))
        yield {
            "group": group,
            "hardware": name,
            "changes": changes,
            "workload": "resnet9-cifar10" if more else WORKLOADS[group % len(WORKLOADS)],
            "recipe": choice.one(*RECIPES),
            "sparsity": choice.one(*PATTERNS),
            "options": options | more,
        }


def _generator():
    path = Path(__file__).parents[2] / "property" / "wild_designs.py"
    spec = importlib.util.spec_from_file_location("wild_designs", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _changes(shipped, drawn):
    found = {}
    for name, value in drawn.items():
        if isinstance(value, dict) and isinstance(shipped[name], dict):
            inner = _changes(shipped[name], value)
            if inner:
                found[name] = inner
        elif value != shipped[name]:
            found[name] = value
    return found
