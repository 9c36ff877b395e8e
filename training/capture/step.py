"""Running one training step under the recorder at one batch size: on shapes alone, or on random data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from ...configs.errors import CaptureError
from ..input_shape import InputShape
from .drafts import Category, Value
from .finishing import GraphBuilder, RecordedStep
from .losses import Loss, default_loss, without_loss
from .mac_counter import mac_counter
from .meta_kernels import meta_kernels
from .module_path import ModulePath
from .notes import notes_of_step
from .recorder import StepRecorder
from .step_record import StepRecord
from .with_data import NeedsDataError, fill_with_data, line_of


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
        raise CaptureError(f"{name}: got no trainable parameter, need one; try requires_grad_(True)")
    usual = next((each.dtype for each in module.parameters() if each.is_floating_point()), torch.get_default_dtype())
    device = next(iter(trainable.values())).device
    with torch.device(device):
        samples = [_sample(shape, batch, usual) for shape in inputs]
        seed = torch.ones(())
    if device.type != "meta":
        fill_with_data(module, samples)
    pairs = list(zip(inputs, samples, strict=True))
    placed = [sample for shape, sample in pairs if not shape.name]
    named = {shape.name: sample for shape, sample in pairs if shape.name}
    path = ModulePath(module)
    counter = mac_counter(path)
    recorder = StepRecorder(path, expert_loads=expert_loads)
    parameters = _declare_all(recorder.record, module, samples, seed)
    reads_tokens = any(shape.integer for shape in inputs)
    with meta_kernels(), counter, _plain_attention(), torch.device(device), _explained(name, recorder), recorder:
        output = module(*placed, **named)
        recorder.section = "loss"
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
    builder = GraphBuilder(recorder.record.drafts, parameters=parameters, gradients=gradients)
    step = builder.build(name=name, source="", default_batch=batch, counted_macs=counted)
    untrained = [key for key, gradient in gradients.items() if gradient is None]
    notes = notes_of_step(unused_outputs=unused, untrained=untrained, trainable=len(gradients))
    return replace(step, graph=replace(step.graph, notes=tuple(notes)))


def _declare_all(
    record: StepRecord, module: torch.nn.Module, samples: Sequence[torch.Tensor], seed: torch.Tensor
) -> dict[str, Value]:
    """Tell the record what the step finds in memory; returns the parameters by name."""
    parameters = {
        key: record.declare(value, key, "parameter", Category.PARAMETER) for key, value in module.named_parameters()
    }
    for key, buffer in module.named_buffers():
        record.declare(buffer, key, "buffer", Category.CONSTANT)
    for number, sample in enumerate(samples):
        label = "input" if len(samples) == 1 else f"input.{number}"
        record.declare(sample, label, "input", Category.ACTIVATION)
    # The engine is given its seed, so that no operator of ours has to make a one.
    record.declare(seed, "loss.seed", "gradient", Category.GRADIENT)
    return parameters


_TYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def _sample(shape: InputShape, batch: int, usual: torch.dtype) -> torch.Tensor:
    """An input; a floating one of the usual type where nothing else is asked for."""
    floating = usual if shape.precision is None else _TYPES[shape.precision]
    return torch.zeros(shape.with_batch(batch), dtype=torch.int64 if shape.integer else floating)


def _check_loss(name: str, value: object) -> None:
    if not isinstance(value, torch.Tensor) or value.numel() != 1:
        got = f"shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else type(value).__name__
        raise CaptureError(f"{name}: loss: got {got}, need a tensor with one element; try its mean")
    if not value.requires_grad:
        raise CaptureError(
            f"{name}: loss: got one that no parameter changes, need a gradient; try removing no_grad or detach"
        )


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Attention computed by its products, not by one fused kernel that would hide them."""
    with sdpa_kernel(SDPBackend.MATH):
        yield


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
