"""The outcome of a case as plain data: figures, digests and documents, or why there are none."""

import hashlib
import json
from functools import cache
from pathlib import Path

import bisparse.configs
from bisparse.configs.errors import BisparseError
from bisparse.sim.product.single_product import parse_dataflow, parse_product, plain_product, simulate_product
from bisparse.sim.results.plain_data import plain_data
from bisparse.sim.simulation import Simulator
from bisparse.sim.studies.ablation.run_ablation import ablate
from bisparse.sim.studies.explore.figures import figures_of
from bisparse.sim.training_run import simulate_training

from . import inputs

VERSION = "frozen"
PARTS = ("operators", "breakdown", "assumptions", "memory", "dense")
"""Parts of a step's document with a digest of their own, the rest having another."""


def measured(cases):
    """Outcomes of the cases of one unit, by key; they share what can be shared."""
    simulators = {}
    return {case.key: outcome(case, simulators) for case in cases}


def outcome(case, simulators=None):
    """The outcome of a case.

    Args:
        case: none of the wild ones.
        simulators: by design and workload, those of before, whose searches serve again.
    """
    try:
        found = _MEASURES[case.kind](case, {} if simulators is None else simulators)
    except BisparseError as error:
        found = {"reason": f"{type(error).__name__}: {error}"}
    return as_read(found)


def as_read(found):
    """Plain data as JSON gives it back, without what may vary."""
    return json.loads(json.dumps(found).replace(_configs_folder(), "configs/"))


@cache
def _configs_folder():
    return f"{Path(bisparse.configs.__file__).parent}/"


def without_what_may_vary(document):
    """A document without the version that made it and the hashes of what went in."""
    kept = {name: value for name, value in document.items() if name != "bisparse_version"}
    if "inputs" in kept:
        kept["inputs"] = {name: {"name": given["name"]} for name, given in kept["inputs"].items()}
    return kept


def digests(document):
    """Digests of a step's document, part by part: together they cover it."""
    parts = {name: document[name] for name in PARTS}
    parts["rest"] = {name: value for name, value in document.items() if name not in PARTS}
    return {name: digest(part) for name, part in parts.items()}


def digest(data):
    """SHA-256 of plain data as canonical JSON, cut to 20 digits."""
    text = as_read_text(data)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def as_read_text(data):
    """Canonical JSON: sorted keys, no blanks, floats by ``repr``."""
    return json.dumps(as_read(data), sort_keys=True, separators=(",", ":"))


# Each kind -----------------------------------------------------------------------------------------------------------


def _simulator(case, simulators):
    network = inputs.workload(case.workload)
    options = inputs.options(case.options, network, case.engine)
    key = (case.hardware, json.dumps(case.changes), case.workload)
    if key not in simulators:
        plain = inputs.options({}, network)
        hardware = inputs.hardware(case.hardware, case.changes)
        simulators[key] = Simulator(workload=network, hardware=hardware, options=plain, version=VERSION)
    return simulators[key].with_options(options)


def _step(case, simulators):
    simulator = _simulator(case, simulators)
    result = simulator.run(inputs.recipe(case.recipe), inputs.pattern(case.sparsity))
    document = without_what_may_vary(result.document())
    found = {
        "figures": figures_of(result.against_dense),
        "digests": digests(document),
    }
    return found | ({"document": document} if case.whole else {})


def _ablation(case, simulators):
    simulator = _simulator(case, simulators)
    document = ablate(simulator, inputs.recipe(case.recipe), inputs.pattern(case.sparsity)).document()
    document["assumptions"] = digest(document["assumptions"])
    return {"document": without_what_may_vary(document)}


def _product(case, simulators):
    gemm = plain_product(*parse_product(case.workload), inputs.pattern(case.sparsity))
    return {"document": simulate_product(gemm, inputs.hardware(case.hardware), parse_dataflow(case.recipe)).document()}


def _training(case, simulators):
    simulator = _simulator(case, simulators)
    recipe, pattern = inputs.recipe(case.recipe), inputs.pattern(case.sparsity)
    return {"document": plain_data(simulate_training(simulator, recipe, pattern, case.training_steps))}


_MEASURES = {"step": _step, "ablation": _ablation, "product": _product, "training": _training}
