"""The timeline as a Chrome trace, for Perfetto (ui.perfetto.dev) or chrome://tracing: JSON, compressed with gzip.

Tracks for the operators of each queue, one for each engine and each DRAM channel; counters for what the buffers hold
and for the bandwidth in use. Channels are asked alike, so each shows the same requests. Stretches that fast-forward
counted are slices that say how often what came before them repeats. Times are microseconds at the design's clock;
``args`` carry the cycles.
Format: "Trace Event Format", Google, complete (X), counter (C) and metadata (M) events.
"""

from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...configs.errors import ConfigError
from ...configs.file_names import file_name
from ...configs.whole_file import write_whole
from ...dataflow.cycle_causes import CYCLE_CAUSES
from ...sim.results.simulation_result import SimulationResult
from ..shared.subject import workload_name
from .answer import labels

if TYPE_CHECKING:
    from ...sim.event.recorder import Recorder, Span

_TRACKS = (
    "operators: products",
    "operators: vector work",
    "tensor engine",
    "vector engine",
    "reduction engine",
    "update engine",
)
_LOAD_LANES = "load lanes"
"""The track of lanes that not every design has."""
_ALL_CHANNELS = "channels"
"""The track of a server that stands for all channels."""

_WAIT_WORDS = {
    "west": "waits for DRAM: west operand",
    "north": "waits for DRAM: north operand",
    "output": "waits for DRAM: sums and results",
}
"""Between tiles it is memory that is late; a port that is too narrow makes the tile longer, as its ``args`` say."""

_PROCESS = 1
_MOST_CHANNELS = 8
"""Channels up to which each has a track; more stand on one, which says so."""

Event = dict[str, Any]


def chrome_trace(result: SimulationResult) -> bytes:
    """The recorded timeline of a result, compressed; the same result gives the same bytes."""
    if result.timeline is None:
        raise ValueError("the result has no timeline: simulate it with engine='event', timeline=True")
    trace = _Trace(result, result.timeline)
    buffer = io.BytesIO()
    # No time of writing in the header: equal runs write equal files.
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as compressed:
        compressed.write(b'{"displayTimeUnit":"ns","otherData":')
        compressed.write(json.dumps(trace.about, separators=(",", ":")).encode())
        compressed.write(b',"traceEvents":[\n')
        for number, event in enumerate(trace.events()):
            compressed.write(b",\n" if number else b"")
            compressed.write(json.dumps(event, separators=(",", ":")).encode())
        compressed.write(b"\n]}\n")
    return buffer.getvalue()


def write_trace(result: SimulationResult, path: Path | str) -> None:
    """Write the recorded timeline of a result; compressed where the name ends in ``.gz``. The folder is made.

    Raises:
        ConfigError: the file cannot be written.
    """
    target, trace = Path(path), chrome_trace(result)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, trace if target.suffix == ".gz" else gzip.decompress(trace))
    except OSError as error:
        raise ConfigError(f"{target}: got {error.strerror}, need a file that can be written; try another") from error


def timeline_file(result: SimulationResult, results: Sequence[SimulationResult]) -> str:
    """Name of the trace of one of a run's results."""
    if len(results) == 1:
        return "timeline.json.gz"
    names = [re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-") for label in labels(results)]
    position = next(number for number, each in enumerate(results) if each is result)
    unique = names[position] if names.count(names[position]) == 1 else f"{names[position]}-{position}"
    return f"timeline-{file_name(unique)}.json.gz"


class _Trace:
    def __init__(self, result: SimulationResult, timeline: Recorder) -> None:
        self._timeline = timeline
        self._microseconds = 1e6 / result.clock_hz
        self._name = f"{workload_name(result)}, {labels([result])[0]}"
        self._channels = result.profile.dram_channels if result.profile is not None else 1
        self.about = {
            "bisparse_version": result.bisparse_version,
            "inputs": {name: f"{each.name} {each.sha256}" for name, each in result.inputs.items()},
            "clock_hz": result.clock_hz,
            "total_cycles": result.total_cycles,
        }

    def events(self) -> Iterator[Event]:
        """Names of tracks, slices, counters."""
        yield self._named("process_name", 0, self._name)
        tracks = self._tracks()
        for number, words in enumerate(tracks.values()):
            yield self._named("thread_name", number, words)
            yield self._metadata("thread_sort_index", number, {"sort_index": number})
        places = self._places(tracks)
        for span in self._timeline.spans:
            tids = places.get(span.track, ())
            for tid in tids:
                yield self._slice(span, tid, len(tids))
            if span.kind == "repeat":
                yield from self._repeated(span, places)
        yield from self._held()
        yield from self._bandwidth()

    def _tracks(self) -> dict[str, str]:
        """Keys and words of the tracks, in order."""
        seen = dict.fromkeys(span.track for span in self._timeline.spans)
        own = {name: name for name in seen if name.startswith("channel") and name != _ALL_CHANNELS}
        if not own:
            count = self._channels
            own = (
                {f"channel {number}": f"DRAM channel {number}" for number in range(count)}
                if count <= _MOST_CHANNELS
                else {_ALL_CHANNELS: f"DRAM channels 0 to {count - 1}, asked alike"}
            )
        with_lanes = any(span.track == _LOAD_LANES or span.shares.get(_LOAD_LANES) for span in self._timeline.spans)
        return {name: name for name in (*_TRACKS, *((_LOAD_LANES,) if with_lanes else ()))} | own

    def _places(self, tracks: dict[str, str]) -> dict[str, tuple[int, ...]]:
        """Numbers of the tracks on which a recorded one is shown."""
        numbers = {name: (number,) for number, name in enumerate(tracks)}
        channels = tuple(number for number, name in enumerate(tracks) if name.startswith("channel"))
        return {_ALL_CHANNELS: channels, **numbers}

    def _named(self, what: str, tid: int, name: str) -> Event:
        return self._metadata(what, tid, {"name": name})

    def _metadata(self, what: str, tid: int, arguments: Event) -> Event:
        return {"ph": "M", "pid": _PROCESS, "tid": tid, "name": what, "args": arguments}

    def _at(self, cycle: int) -> float:
        return round(cycle * self._microseconds, 4)

    def _repeated(self, span: Span, places: dict[str, tuple[int, ...]]) -> Iterator[Event]:
        """Repetitions by cause, inside of their slice, and on every other track that is busy in them.

        Each is as long as its cycles in all repetitions, and they stand side by side: when in them, only playing says.
        """
        (tensor,) = places[span.track]
        at = span.start_cycle
        for name, cycles in span.shares.items():
            if not cycles:
                continue
            arguments = {"cycles": cycles, "of": span.end_cycle - span.start_cycle}
            if name in CYCLE_CAUSES:
                words = _WAIT_WORDS.get(name, CYCLE_CAUSES[name])
                yield self._complete(f"{words}, in all repetitions", "share", tensor, at, cycles, arguments)
                at += cycles
                continue
            for tid in places.get(name, ()):
                yield self._complete(f"{span.label}: {span.detail}", "repeat", tid, span.start_cycle, cycles, arguments)

    def _slice(self, span: Span, tid: int, tracks: int) -> Event:
        arguments: dict[str, Any] = {"cycles": span.end_cycle - span.start_cycle}
        if span.moved_bytes:
            # One server may stand for several channels: each has its share.
            arguments["moved_bytes"] = span.moved_bytes // tracks
        arguments.update({name: cycles for name, cycles in span.shares.items() if cycles})
        name = {
            "work": span.label,
            "wait": _WAIT_WORDS.get(span.detail, CYCLE_CAUSES.get(span.detail, span.detail)),
            "repeat": f"{span.label}: {span.detail}",
        }[span.kind]
        if span.kind == "wait":
            arguments["operator"] = span.label
        elif span.detail and span.kind == "work":
            arguments["stage"] = span.detail
        length = span.end_cycle - span.start_cycle
        return self._complete(name, span.kind, tid, span.start_cycle, length, arguments)

    def _complete(self, name: str, kind: str, tid: int, start: int, cycles: int, arguments: Event) -> Event:
        return {
            "ph": "X",
            "pid": _PROCESS,
            "tid": tid,
            "ts": self._at(start),
            "dur": self._at(cycles),
            "name": name,
            "cat": kind,
            "args": {"start_cycle": start} | arguments,
        }

    def _counter(self, name: str, cycle: int, values: Mapping[str, float]) -> Event:
        return {"ph": "C", "pid": _PROCESS, "ts": self._at(cycle), "name": name, "args": values}

    def _held(self) -> Iterator[Event]:
        for held in self._timeline.held:
            sides = {"west": held.west_bytes, "north": held.north_bytes, "output": held.output_bytes}
            yield self._counter("buffers, bytes taken by tiles", held.cycle, sides)

    def _bandwidth(self) -> Iterator[Event]:
        """Bytes a second over all channels, request by request; an average over repetitions."""
        channels = sorted({span.track for span in self._timeline.spans if span.track.startswith("channel")})
        if not channels:
            return
        moving = [s for s in self._timeline.spans if s.track == channels[0] or (s.kind == "repeat" and s.moved_bytes)]
        moving.sort(key=lambda span: (span.start_cycle, span.end_cycle))
        for number, span in enumerate(moving):
            seconds = (span.end_cycle - span.start_cycle) * self._microseconds * 1e-6
            copies = 1 if span.kind == "repeat" else len(channels)
            rate = round(copies * span.moved_bytes / seconds / 1e9, 3)
            yield self._counter("DRAM, GB/s", span.start_cycle, {"moved": rate})
            following = moving[number + 1].start_cycle if number + 1 < len(moving) else None
            if following is None or following > span.end_cycle:
                yield self._counter("DRAM, GB/s", span.end_cycle, {"moved": 0})
