"""A finished study of claims, made by hand: six designs, two of which agree."""

from bisparse.sim.results.answer_range import Interval
from bisparse.sim.studies.consistency.consistency import (
    AnswerResult,
    ClaimResult,
    Consistency,
    DrawnDesign,
    Region,
    Telling,
)

SPEEDUPS = (1.2, 1.5, 1.74, 1.76, 1.9, 1.95)


def study(*, agree: bool = True) -> Consistency:
    """The study; of claims that nothing agrees with where asked."""
    low, high = (1.7, 1.8) if agree else (2.0, 2.1)
    misses = [max(low - each, each - high, 0.0) for each in SPEEDUPS]
    left = [each for each, miss in zip(SPEEDUPS, misses, strict=True) if not miss]
    every = Interval(low=1.25, high=1.94, least=1.2, most=1.95)
    return Consistency(
        name="sample",
        title="A design <b>nobody</b> | knows",
        sha256="0" * 64,
        hardware="sat-vcu1525",
        bisparse_version="1.0",
        seed=0,
        claims=(
            ClaimResult(
                name="as fast as told",
                source="their <i>abstract</i>",
                value="speedup_vs_dense",
                least=low,
                most=high,
                seen=every,
                agree=len(left),
                alone_excludes=len(SPEEDUPS) - len(left),
                assumed=1.67,
                assumed_agrees=False,
            ),
        ),
        regions=(
            Region(
                name="hardware.tensor_engine.rows",
                choices=(16, 32),
                within=False,
                least=16.0 if left else None,
                most=32.0 if left else None,
                survivors={"16": 1, "32": 1} if left else {},
                drawn={"16": 3, "32": 3},
                narrowed=0.0,
            ),
            Region(
                name="hardware.clock_hz",
                choices=(150e6, 300e6),
                within=True,
                least=2e8 if left else None,
                most=2.5e8 if left else None,
                survivors={},
                drawn={},
                narrowed=0.25 if left else 0.0,
            ),
        ),
        answers=(
            AnswerResult(
                name="speedup",
                assumed=1.67,
                before=every,
                after=Interval(low=left[0], high=left[-1], least=left[0], most=left[-1]) if left else None,
            ),
        ),
        telling=(Telling(name="hardware.clock_hz", reduction=0.5, by_answer={"speedup": 0.5}),) if left else (),
        designs=(
            *(
                DrawnDesign(
                    settings={"hardware.tensor_engine.rows": 16 + 16 * (at % 2), "hardware.clock_hz": 2e8},
                    misses=(miss,),
                    answers=(each,),
                )
                for at, (each, miss) in enumerate(zip(SPEEDUPS, misses, strict=True))
            ),
            DrawnDesign(settings={"hardware.tensor_engine.rows": 32}, reason="too small a buffer"),
        ),
    )
