"""The residual stream of a trained transformer, turned into bases of its own and sliced (SliceGPT), without training.

The stream between two additions is a stretch. Layer normalisations become divisions by the root of the mean square:
what they subtract is taken out of whatever writes the stream, their gains and shifts go into the layers that read them.
Then each stretch may be turned into any orthogonal basis: that of the eigenvectors of what passes it in a few batches,
the channel of the largest variance first. Of the channels the first ones stay. Weights that write and read a stretch
are turned with it, and a product on the shortcut leads from one basis into the next, as ``rotations`` has it in graphs.
Source: Ashkboos et al., ICLR 2024 (arXiv 2401.15024), sections 3.1 to 3.4. Bases come of the network as it was trained;
the paper finds each behind the stretches that are sliced already.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ....configs.errors import ConfigError
from ...graph import TrainingGraph
from ...passes.inference import forward_only
from ..apply import rewritten
from ..keep import Keep
from ..rotations import Rotations
from .calibration import Calibration
from .coupled_slices import CoupledGroup, coupled_slices
from .resized_module import put
from .rewrite_module import check_rewritten

_ROUNDING = 1e-6
"""Of the largest output, in double precision."""


def slice_stream(
    model: nn.Module,
    rewrites: Sequence[object],
    graph: TrainingGraph,
    calibration: Calibration,
    take: Callable[[nn.Module], TrainingGraph],
) -> nn.Module:
    """A copy of a model whose stream is turned and sliced as a recipe says.

    Args:
        model: trained: blocks that normalise first, with nn.LayerNorm, and a head of its own.
        rewrites: of the recipe: ``rotations``, and ``keep`` of the channels.
        graph: of a training step of the model.
        calibration: batches that bases are found in.
        take: captures a training step of a model.

    Returns:
        The sliced model, in evaluation mode; its forward pass is that of the rewritten graph, product by product.

    Raises:
        ConfigError: the entries are others, or the turned model, before it is sliced, computes otherwise than this one.
    """
    match rewrites:
        case [Rotations(), Keep(channels=float()) as keep]:
            pass
        case _:
            raise ConfigError("rewrites: got others, need rotations, and then a keep of channels, a number")
    group = _stream(model, graph)
    kept = next(iter(keep.plan(graph).sizes.values()))
    whole = copy.deepcopy(model).double().eval()
    places = _traced(whole, group, calibration)
    turned = _turned(whole, group, places, group.members)
    inputs = calibration.batches[0][0][:2]
    with torch.no_grad():
        wanted, found = calibration.output(whole, inputs), calibration.output(turned, inputs)
    if float((wanted - found).abs().max()) > _ROUNDING * float(wanted.abs().max()):
        raise ConfigError(
            "got a model that computes otherwise in turned bases, need blocks that begin with nn.LayerNorm and add "
            "what they make to what entered them, linear layers behind every normalisation, and a head of its own"
        )
    sliced = _turned(whole, group, places, kept).to(next(model.parameters()).dtype)
    planned = rewritten(forward_only(graph), [Rotations(kind="rotations"), keep], deployed=True)
    check_rewritten(forward_only(take(sliced)), planned)
    return sliced.eval()


def _stream(model: nn.Module, graph: TrainingGraph) -> CoupledGroup:
    groups = [
        each for each in coupled_slices(model, graph) if each.feature.kind == "channels" and not each.feature.why_not
    ]
    if len(groups) != 1:
        raise ConfigError(f"got {graph.name} with {len(groups)} widths, need a transformer with one residual stream")
    return groups[0]


@dataclass(kw_only=True)
class _Places:
    """Where the stream is normalised, read and written.

    Attributes:
        norms: in the order of the forward pass: one a stretch.
        readers: by stretch, paths of linear layers.
        writers: of linear layers by path, the stretch that they write.
        bases: of each stretch, [channels, channels], the basis vector of the largest variance first.
    """

    norms: list[str] = field(default_factory=list)
    readers: dict[str, int] = field(default_factory=dict)
    writers: dict[str, int] = field(default_factory=dict)
    bases: list[Tensor] = field(default_factory=list)


@torch.no_grad()
def _traced(model: nn.Module, group: CoupledGroup, calibration: Calibration) -> _Places:
    places, moments = _Places(), dict[str, Tensor]()
    axes = {(each.tensor, each.axis) for each in group.slices}

    def norm(path: str) -> Callable[..., None]:
        def seen(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            if path not in places.norms:
                places.norms.append(path)
            x = given[0].flatten(0, -2)
            centred = x - x.mean(-1, keepdim=True)
            moments[path] = moments.get(path, torch.zeros(())) + centred.T @ centred

        return seen

    def linear(path: str) -> Callable[..., None]:
        def seen(*_: Any) -> None:
            if (f"{path}.weight", 1) in axes:
                places.readers[path] = len(places.norms) - 1
            if (f"{path}.weight", 0) in axes:
                places.writers[path] = len(places.norms)

        return seen

    hooks = []
    for path, module in model.named_modules():
        if isinstance(module, nn.LayerNorm) and (f"{path}.weight", 0) in axes:
            hooks.append(module.register_forward_pre_hook(norm(path)))
        elif isinstance(module, nn.Linear):
            hooks.append(module.register_forward_pre_hook(linear(path)))
    model(calibration.batches[0][0][:1])
    for each in hooks[:]:
        each.remove()
    moments.clear()
    hooks = [model.get_submodule(path).register_forward_pre_hook(norm(path)) for path in places.norms]
    for inputs, _ in calibration.batches:
        model(inputs)
    for each in hooks:
        each.remove()
    # Of a symmetric matrix eigenvalues come in rising order.
    places.bases = [torch.linalg.eigh(moments[path]).eigenvectors.flip(-1) for path in places.norms]
    return places


@torch.no_grad()
def _turned(model: nn.Module, group: CoupledGroup, places: _Places, kept: int) -> nn.Module:
    """A copy in the bases of its stretches, of which so many channels stay."""
    made = copy.deepcopy(model)
    bases = [each[:, :kept] for each in places.bases]
    norms: list[nn.LayerNorm] = [made.get_submodule(path) for path in places.norms]  # type: ignore[misc]
    done = set[str]()
    for path in {**places.readers, **places.writers}:
        layer = made.get_submodule(path)
        assert isinstance(layer, nn.Linear), "hooks were on linear layers alone"
        weight: Tensor = layer.weight
        bias: Tensor | None = layer.bias
        if path in places.readers:
            norm, basis = norms[places.readers[path]], bases[places.readers[path]]
            shift = weight @ norm.bias
            bias = shift if bias is None else bias + shift
            weight = weight * norm.weight @ basis
        if path in places.writers:
            basis = bases[places.writers[path]]
            weight = basis.T @ (weight - weight.mean(0))
            bias = None if bias is None else basis.T @ (bias - bias.mean())
        new = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, dtype=weight.dtype)
        new.weight.copy_(weight)
        if bias is not None:
            new.bias.copy_(bias)
        put(made, path, new)
        done |= {f"{path}.weight", f"{path}.bias"}
    for path, norm in zip(places.norms, norms, strict=True):
        put(made, path, RootMeanSquare(group.members, norm.eps))
        done |= {f"{path}.weight", f"{path}.bias"}
    for each in group.slices:
        if each.tensor in done:
            continue
        # What is left writes the first stretch: tables of embeddings, positions.
        owner, _, last = each.tensor.rpartition(".")
        module, old = made.get_submodule(owner), made.get_parameter(each.tensor)
        if each.axis != old.dim() - 1:
            raise ConfigError(f"got {each.tensor}, need linear layers and tables that make the stream")
        setattr(module, last, nn.Parameter((old - old.mean(-1, keepdim=True)) @ bases[0]))
        if isinstance(module, nn.Embedding):
            module.embedding_dim = kept
    _put_rotations(made, places, bases)
    return made


class RootMeanSquare(nn.Module):
    """x over the root of the mean square of all channels that there were, of which those that went count as zero."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.width, self.epsilon = width, epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Of any shape, along its last axis."""
        return x * torch.rsqrt(x.square().sum(-1, keepdim=True) / self.width + self.epsilon)


def _put_rotations(model: nn.Module, places: _Places, bases: Sequence[Tensor]) -> None:
    """Let each addition take its shortcut through a product: that into the next stretch's basis."""
    rotations, counts = dict[str, str](), dict[str, int]()
    for number, path in enumerate(places.norms[:-1]):
        owner = path.rpartition(".")[0]
        counts[owner] = counts.get(owner, 0) + 1
        turn = bases[number + 1].T @ bases[number]
        rotation = nn.Linear(turn.shape[1], turn.shape[0], bias=False, dtype=turn.dtype)
        rotation.weight.copy_(turn)
        rotation.requires_grad_(False)
        name = f"rotation_{counts[owner]}"
        model.get_submodule(owner).add_module(name, rotation)
        rotations[path] = f"{owner}.{name}".lstrip(".")
    model.register_forward_pre_hook(_begin)
    model.register_forward_hook(_end, always_call=True)
    for path, rotation_path in rotations.items():
        model.get_submodule(path).register_forward_pre_hook(_Enter(model, rotation_path))


class _Turning(TorchFunctionMode):
    """While a model runs: an addition that takes what entered the last normalisation takes it turned."""

    def __init__(self) -> None:
        super().__init__()
        self.entered: tuple[Tensor, nn.Module] | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.entered is not None and func in _ADDITIONS and len(args) > 1:
            past, rotation = self.entered
            if args[0] is past or args[1] is past:
                self.entered = None
                args = tuple(rotation(each) if each is past else each for each in args)
        return func(*args, **(kwargs or {}))


_ADDITIONS = (torch.add, torch.Tensor.add, torch.Tensor.__add__, torch.Tensor.__radd__)
_MODE = "_bisparse_turning"


def _begin(model: nn.Module, _: Any) -> None:
    model.__dict__[_MODE] = mode = _Turning()
    mode.__enter__()  # type: ignore[no-untyped-call]


def _end(model: nn.Module, *_: Any) -> None:
    model.__dict__.pop(_MODE).__exit__(None, None, None)


@dataclass(frozen=True, slots=True)
class _Enter:
    """Of a normalisation: notes what enters it."""

    model: nn.Module
    rotation: str

    def __call__(self, _: nn.Module, given: tuple[Tensor, ...]) -> None:
        mode = self.model.__dict__.get(_MODE)
        if mode is not None:
            mode.entered = given[0], self.model.get_submodule(self.rotation)
