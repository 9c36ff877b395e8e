"""The command line of the freeze: measure all in two processes, then write or compare."""

import argparse
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from fnmatch import fnmatchcase

from . import files, wild
from .cases import all_cases
from .differences import lines
from .measuring import measured


def main():
    """Run ``python tests/golden/freeze.py``; see ``--help``."""
    arguments = _arguments()
    if arguments.draw:
        wild.draw()
    plan = Plan(arguments.only)
    found = _measure(plan, arguments.jobs)
    return _check(plan, found) if arguments.check else _freeze(plan, found)


def _arguments():
    parser = argparse.ArgumentParser(
        prog="python tests/golden/freeze.py", description="Freeze every figure, or check that none has changed."
    )
    parser.add_argument("--check", action="store_true", help="compute again, print what differs, exit with 1 if any")
    parser.add_argument("--only", metavar="PATTERN", default="", help="cases whose name holds this; * and ? are wild")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes [2]")
    parser.add_argument("--draw", action="store_true", help="draw the wild designs anew before all else")
    return parser.parse_args()


class Plan:
    """The cases to measure, in units.

    Attributes:
        units: lists of cases, or a wild group each, by what they are called.
        file_of: the file of every key.
    """

    def __init__(self, only=""):
        self._only = f"*{only}*"
        self.units, self.file_of = {}, {}
        for case in filter(lambda case: self.wants(case.key), all_cases()):
            self.units.setdefault(case.unit[1:], []).append(case)
            assert case.key not in self.file_of, f"{case.key} is there twice"
            self.file_of[case.key] = case.file
        for group in wild.groups():
            if any(map(self.wants, group.outcome_keys())):
                self.units[(group.key,)] = group
                self.file_of |= dict.fromkeys(group.outcome_keys(), "wild")

    def wants(self, key):
        """Whether a case is among those asked for."""
        return fnmatchcase(key, self._only)

    def frozen(self, name):
        """What a file holds of the cases asked for, and of the others."""
        outcomes = files.read(name)
        asked = {key: each for key, each in outcomes.items() if self.wants(key) or key in self.file_of}
        return asked, {key: each for key, each in outcomes.items() if key not in asked}


def measure_unit(unit):
    """Outcomes of a unit by key, and the seconds that they took."""
    begun = time.perf_counter()
    found = unit.measured() if isinstance(unit, wild.WildGroup) else measured(unit)
    return found, time.perf_counter() - begun


def _measure(plan, jobs):
    found = {}
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        # The largest first, so that no process is left alone with one at the end.
        units = sorted(plan.units.items(), key=lambda item: -_size(item[1]))
        waiting = {pool.submit(measure_unit, unit): name for name, unit in units}
        for done, future in enumerate(as_completed(waiting), start=1):
            outcomes, seconds = future.result()
            found |= outcomes
            name = " ".join(reversed(waiting[future]))
            print(f"[{done}/{len(waiting)}] {name}: {len(outcomes)} in {seconds:.1f} s", file=sys.stderr, flush=True)
    return found


def _size(unit):
    return 0 if isinstance(unit, wild.WildGroup) else len(unit)


def _freeze(plan, found):
    for key, outcome in found.items():
        assert "side by side" not in outcome, f"{key}: side by side is not one by one: {outcome}"
    for name in files.FILES:
        own = {key: outcome for key, outcome in found.items() if plan.file_of[key] == name}
        frozen, others = plan.frozen(name)
        if own or frozen:
            files.write(name, others | own)
    files.write_index()
    print(f"frozen: {len(found):,} cases")
    return 0


def _check(plan, found):
    told = []
    for name in files.FILES:
        frozen, _ = plan.frozen(name)
        own = {key for key, file in plan.file_of.items() if file == name}
        for key in sorted(own | frozen.keys()):
            if key not in frozen:
                told.append(f"{key}: not frozen; try python tests/golden/freeze.py --only '{key}'")
            elif key not in own:
                told.append(f"{key}: frozen, but no case any more")
            else:
                told += lines(key, frozen[key], found[key])
    print("\n".join(told) if told else f"no difference in {len(found):,} cases")
    return 1 if told else 0
