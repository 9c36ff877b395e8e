"""Running one training step under the recorder at one batch size: on shapes alone, or on random data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from ...configs.errors import CaptureError
from ..input_shape import InputShape
from ..passes.inference import LOSS_MODULE
from ..recipes.in_torch.recurrent.as_products import recurrence_as_products
from .attention import plain_attention
from .causal import causal_attention
from .drafts import Category, Value
from .finishing import GraphBuilder, RecordedStep
from .losses import Loss, default_loss, without_loss
from .mac_counter import mac_counter
from .meta_kernels import meta_kernels
from .module_path import ModulePath
from .notes import notes_of_step, routing_note
from .packed_rows import rows_of_one_sequence
from .recorder import StepRecorder
from .routing import Routing
from .step_record import StepRecord
from .with_data import NeedsDataError, fill_with_data, line_of, same_chance


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A module and inputs made ready to be recorded.

    Attributes:
        module: from ``on_meta``; or with data on the CPU, and the step then runs on random inputs.
        samples: one a shape.
        placed: arguments by place.
        named: arguments by keyword.
        device: where all of it is.
        path: which module runs.
        counter: torch's own.
        recorder: of operators.
        routing: what is known of sizes that data decide.
        parameters: values of all parameters by name.
        name: of the graph.
        assumed: while it ran, a sentence each.
    """

    module: torch.nn.Module
    samples: list[torch.Tensor]
    placed: list[Any]
    named: dict[str, Any]
    device: torch.device
    path: ModulePath
    counter: FlopCounterMode
    recorder: StepRecorder
    routing: Routing
    parameters: dict[str, Value]
    name: str
    assumed: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        module: torch.nn.Module,
        inputs: Sequence[InputShape],
        *,
        batch: int,
        name: str,
        expert_loads: tuple[int, ...] | None,
    ) -> Prepared:
        """Make inputs, and tell the record what the step finds in memory; arguments as for ``record_step``."""
        usual = next((each.dtype for each in module.parameters() if each.is_floating_point()), None)
        tensors = (*module.parameters(), *module.buffers())
        device = next((each.device for each in tensors), torch.device("meta"))
        with torch.device(device):
            samples = [_sample(shape, batch, usual or torch.get_default_dtype()) for shape in inputs]
        if device.type != "meta":
            fill_with_data(module, samples)
        placed, named = arguments(inputs, samples)
        path = ModulePath(module)
        recorder = StepRecorder(path, expert_loads=expert_loads)
        return cls(
            module=module,
            samples=samples,
            placed=placed,
            named=named,
            device=device,
            path=path,
            counter=mac_counter(path),
            recorder=recorder,
            routing=Routing(loads=expert_loads),
            parameters=_declare_all(recorder.record, module, samples),
            name=name,
        )

    def told(self, step: RecordedStep, notes: Iterable[str] = ()) -> RecordedStep:
        """A step that was recorded, with what is to be said of it."""
        routed = routing_note(self.routing.experts) if self.routing.loads is None else ()
        graph = replace(step.graph, notes=tuple(dict.fromkeys((*notes, *routed, *self.assumed))))
        return replace(step, graph=graph, samples=self.routing.samples)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Record what runs inside, and count it; what torch raises there is told in one line."""
        with (
            meta_kernels(self.routing),
            self.counter,
            same_chance(),
            _plain_recurrent_layers(),
            recurrence_as_products(),
            plain_attention(self.assumed),
            rows_of_one_sequence(),
            torch.device(self.device),
            causal_attention(self.recorder.record),
            _explained(self.name, self.recorder),
            self.recorder,
        ):
            yield


def record_step(
    module: torch.nn.Module,
    inputs: Sequence[InputShape],
    *,
    batch: int,
    loss: Loss | None,
    name: str,
    expert_loads: tuple[int, ...] | None = None,
) -> RecordedStep:
    """One training step of a module: forward, loss, backward, updates.

    Args:
        module: from ``on_meta``; or with data on the CPU, and the step then runs on random inputs.
        inputs: shapes without the batch.
        batch: samples.
        loss: maps the output to a scalar; None for the default.
        name: of the graph.
        expert_loads: relative load of each expert of a grouped product; balanced when None.

    Raises:
        NeedsDataError: the step cannot run without data.
        CaptureError: the step cannot run, or nothing in it trains.
    """
    trainable = {key: value for key, value in module.named_parameters() if value.requires_grad}
    if not trainable:
        raise CaptureError(
            f"{name}: got no trainable parameter, need one; try requires_grad_(True), or --inference for the forward "
            "pass alone"
        )
    ready = Prepared.of(module, inputs, batch=batch, name=name, expert_loads=expert_loads)
    recorder, counter = ready.recorder, ready.counter
    with torch.device(ready.device):
        seed = torch.ones(())
    # The engine is given its seed, so that no operator of ours has to make a one.
    recorder.record.declare(seed, "loss.seed", "gradient", Category.GRADIENT)
    reads_tokens = any(shape.integer for shape in inputs)
    with ready.running():
        output = module(*ready.placed, **ready.named)
        recorder.section = LOSS_MODULE
        value = loss(output) if loss is not None else default_loss(output, reads_tokens=reads_tokens)
        _check_loss(name, value)
        unused = without_loss(output, value)
        recorder.section = ""
        forward_flops, forward_drafts = counter.get_total_flops(), len(recorder.record.drafts)
        found = torch.autograd.grad(value, list(trainable.values()), [seed], allow_unused=True)
        total_flops = counter.get_total_flops()
        gradients: dict[str, Value | None] = {
            key: None if gradient is None else recorder.record.value_of(gradient)
            for key, gradient in zip(trainable, found, strict=True)
        }
    # What checkpointing computes again during the backward pass is forward work, in the graph as in the count.
    again = sum(
        draft.geometry.macs(batch)
        for draft in recorder.record.drafts[forward_drafts:]
        if draft.geometry is not None and not draft.in_backward
    )
    counted = {"forward": forward_flops // 2 + again, "backward": (total_flops - forward_flops) // 2 - again}
    builder = GraphBuilder(recorder.record.drafts, parameters=ready.parameters, gradients=gradients)
    step = builder.build(name=name, source="", default_batch=batch, counted_macs=counted)
    untrained = [key for key, gradient in gradients.items() if gradient is None]
    notes = notes_of_step(unused_outputs=unused, untrained=untrained, trainable=len(gradients))
    return ready.told(step, notes)


def arguments(inputs: Sequence[InputShape], samples: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
    """What a module is called with: by place, and by keyword; keys of dictionaries where a name has dots."""
    by_place: dict[int, Any] = {}
    named: dict[str, Any] = {}
    for shape, sample in zip(inputs, samples, strict=True):
        first, *keys = shape.name.split(".")
        place = int(first) if first.isdecimal() else None
        if not shape.name:
            place = max(by_place, default=-1) + 1
        holder: Any = named if place is None else by_place
        key: Any = first if place is None else place
        for inner in keys:
            holder = holder.setdefault(key, {})
            key = inner
        holder[key] = sample
    if sorted(by_place) != list(range(len(by_place))):
        raise CaptureError(f"input: got inputs in places {sorted(by_place)}, need them in every place from 0 on")
    return [by_place[place] for place in range(len(by_place))], named


def _declare_all(record: StepRecord, module: torch.nn.Module, samples: Sequence[torch.Tensor]) -> dict[str, Value]:
    """Tell the record what the step finds in memory; returns the parameters by name."""
    parameters = {
        key: record.declare(value, key, "parameter", Category.PARAMETER) for key, value in module.named_parameters()
    }
    for key, buffer in module.named_buffers():
        record.declare(buffer, key, "buffer", Category.CONSTANT)
    for number, sample in enumerate(samples):
        label = "input" if len(samples) == 1 else f"input.{number}"
        record.declare(sample, label, "input", Category.ACTIVATION)
    return parameters


_LARGEST_INPUT = 2**48
"""Elements of an input; torch counts bytes in 63 bits."""

_TYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def _sample(shape: InputShape, batch: int, usual: torch.dtype) -> torch.Tensor:
    """An input; a floating one of the usual type where nothing else is asked for."""
    floating = usual if shape.precision is None else _TYPES[shape.precision]
    sizes = shape.with_batch(batch)
    if math.prod(sizes) > _LARGEST_INPUT:
        raise CaptureError(
            f"input: got {'x'.join(map(str, sizes))} elements, {shape} at batch {batch}, need at most "
            f"{_LARGEST_INPUT}; try a smaller shape"
        )
    return torch.zeros(sizes, dtype=torch.int64 if shape.integer else floating)


def _check_loss(name: str, value: object) -> None:
    if not isinstance(value, torch.Tensor) or value.numel() != 1:
        got = f"shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else type(value).__name__
        raise CaptureError(f"{name}: loss: got {got}, need a tensor with one element; try its mean")
    if not value.requires_grad:
        raise CaptureError(
            f"{name}: loss: got one that no parameter changes, need a gradient; try removing no_grad or detach"
        )


@contextmanager
def _plain_recurrent_layers() -> Iterator[None]:
    """Those that torch runs itself by their products: oneDNN has one kernel for each, which would hide them."""
    before = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(False)
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(before)


@contextmanager
def _explained(name: str, recorder: StepRecorder) -> Iterator[None]:
    """Turn what torch raises inside the user's step into one line that names the operator."""
    try:
        yield
    except CaptureError:
        raise
    except Exception as error:
        first_line = str(error).strip().partition("\n")[0].rstrip(".")
        where = f" in {recorder.running}" if recorder.running else ""
        got = f"{name}{where}: got {type(error).__name__}: {first_line}"
        if isinstance(error, NotImplementedError) or "meta" in first_line:
            remedy = (
                "need a step that runs on shapes alone; try a model without .item(), masks that select, or CPU tensors"
            )
            raise NeedsDataError(f"{got}, {remedy}", recorder.running, line_of(error)) from error
        remedy = "need a step that runs; try the input shape first (--input, without the batch)"
        raise CaptureError(f"{got}, {remedy}") from error
