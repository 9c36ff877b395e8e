"""Which module of the network is running its forward pass.

Torch's own ``ModuleTracker`` also hooks the backward pass, and its hooks on leaf tensors stop ``torch.autograd.grad``
for every parametrised module (weight normalisation, say). Backward operators are traced to their modules by the
sequence numbers of their autograd nodes instead (see ``recorder``), so the forward pass is all that is tracked here.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

import torch
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook


class ModulePath:
    """A context in which ``current`` is the dotted path of the innermost running module; the root's is empty.

    It has the face of ``ModuleTracker`` that ``FlopCounterMode`` uses: ``parents``, entering and leaving.
    """

    def __init__(self, root: torch.nn.Module) -> None:
        self._names = {id(module): name for name, module in root.named_modules()}
        self._running: list[str] = []

    @property
    def current(self) -> str:
        """The innermost running module."""
        return self._running[-1] if self._running else ""

    @property
    def parents(self) -> set[str]:
        """The keys under which the counter books an operator: its total only."""
        return {"Global"}

    def __enter__(self) -> ModulePath:
        """Follow every module call from here on."""
        self._running.clear()
        # A forward pass left early (checkpointing stops its recomputation so) is left for certain.
        self._handles = (
            register_module_forward_pre_hook(self._enter_module),
            register_module_forward_hook(self._leave_module, always_call=True),
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        """Stop following."""
        for handle in self._handles:
            handle.remove()

    def _enter_module(self, module: torch.nn.Module, arguments: Any) -> None:
        unregistered = ".".join(filter(None, (self.current, type(module).__name__)))
        self._running.append(self._names.get(id(module), unregistered))

    def _leave_module(self, module: torch.nn.Module, arguments: Any, output: Any) -> None:
        if self._running:
            self._running.pop()
