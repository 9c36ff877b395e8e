"""A campaign of hostile input: files damaged in every way, strange words for every option, and what came of it.

python -m tests.hostile --cases 20000 --seed 1                     all; stopped, the same command goes on
python -m tests.hostile --cases 20000 --seed 1 --only 4711         one case again, told whole
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from . import table
from .corpus import make_corpus
from .oracle import FINE
from .running import run
from .targets import PLAIN, TORCH
from .worker import Campaign


def main() -> int:
    """Run the campaign; 1 when a case failed."""
    asked = _asked()
    asked.work.mkdir(parents=True, exist_ok=True)
    _alone(asked.work.resolve())
    with_torch = not asked.no_torch
    corpus = (asked.work / "corpus").resolve()
    make_corpus(corpus, with_torch=with_torch)
    _warm(corpus, with_torch=with_torch)
    campaign = Campaign(seed=asked.seed, corpus=corpus, with_torch=with_torch)
    if asked.only is not None:
        print(json.dumps(result := campaign.one(asked.only), indent=1).replace("\\n", "\n"))
        return int(result["verdict"] not in FINE)
    results = _run(campaign, asked)
    written = table.as_markdown(results)
    (asked.work / "table.md").write_text(written)
    print(written)
    print(told := table.failures(results))
    (asked.work / "failures.txt").write_text(told)
    return int(any(each["verdict"] not in FINE for each in results))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--work", type=Path, default=Path("runs/hostile"), help="where whole files and results are kept"
    )
    parser.add_argument("--again", action="store_true", help="run what failed once more")
    parser.add_argument("--no-torch", action="store_true", help="leave out training runs and networks")
    parser.add_argument("--only", type=int, help="run this case alone")
    return parser.parse_args()


def _alone(work: Path) -> None:
    """Nothing of the user's is read or opened, and one thread does the work."""
    os.environ |= {"OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(work / "cache"), "BROWSER": "true", "HOME": str(work)}
    os.environ["BISPARSE_CACHE"] = str(work / "cache")


def _warm(corpus: Path, *, with_torch: bool) -> None:
    """Import what takes seconds once, before workers are made of this process.

    Raises:
        RuntimeError: a command does not read a whole file, so that it would refuse every damaged one.
    """
    if with_torch:
        import torch

        torch.set_num_threads(1)
    for name, targets in (("plain", PLAIN), ("torch", TORCH))[: 1 + with_torch]:
        for command in dict.fromkeys(each for target in targets for each in target.commands):
            with tempfile.TemporaryDirectory() as made:
                shutil.copytree(corpus / name, Path(made) / "case")
                done = run(command, Path(made) / "case", seconds=100.0)
            if done.code != 0:
                raise RuntimeError(f"{' '.join(command)}: left with {done.code} over whole files: {done.err}")


def _run(campaign: Campaign, asked: argparse.Namespace) -> list[dict[str, Any]]:
    """All cases that have no result yet; the results of all. Of a case that was run again, the last result counts."""
    kept = asked.work / f"results-{asked.seed}{'-no-torch' if asked.no_torch else ''}.jsonl"
    lines = kept.read_text().splitlines() if kept.exists() else []
    results = list({result["number"]: result for result in map(json.loads, lines)}.values())
    if asked.again:
        results = [each for each in results if each["verdict"] in FINE]
    known, wanted = {each["number"] for each in results}, range(asked.first, asked.first + asked.cases)
    left, began = [number for number in wanted if number not in known], time.monotonic()
    with kept.open("a") as stream:

        def told(result: dict[str, Any]) -> None:
            results.append(result)
            stream.write(json.dumps(result) + "\n")
            stream.flush()
            done = len(results) - len(known)
            if done % 100 == 0 or done == len(left):
                failed = sum(each["verdict"] not in FINE for each in results)
                rate = done / (time.monotonic() - began)
                print(f"{done:,} of {len(left):,} cases, {rate:.1f} a second, {failed} failed", file=sys.stderr)

        campaign.all(left, told)
    return [each for each in results if each["number"] in wanted]


if __name__ == "__main__":
    sys.exit(main())
