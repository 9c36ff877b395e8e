"""AdamW whose second moment can be frozen: the optimizer of STEP (Lu et al., ICML 2023).

Until ``freeze`` it is torch's own AdamW. After it, w <- w - lr (m^ / sqrt(v* + eps) + wd w), where v* is the second
moment as it was then, bias-corrected; only the first moment goes on. Epsilon stands under the root (assumed): beside
it, a weight that had hardly seen a gradient when v froze would take steps of lr g / 1e-8.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class FrozenVarianceAdam(torch.optim.AdamW):
    """AdamW that ``freeze`` turns into STEP's second phase; state dicts keep that it is frozen."""

    @property
    def frozen(self) -> bool:
        """Whether the second moment no longer changes."""
        return all(group.get("frozen", False) for group in self.param_groups)

    def freeze(self) -> None:
        """Hold the second moment, bias-corrected as of now."""
        for group in self.param_groups:
            group["frozen"] = True
            for parameter in group["params"]:
                state = self.state[parameter]
                if state:
                    if group["amsgrad"]:
                        state["exp_avg_sq"].copy_(state["max_exp_avg_sq"])
                    state["exp_avg_sq"].div_(1 - group["betas"][1] ** float(state["step"]))

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update."""
        if not self.frozen:
            return _without_hooks(torch.optim.AdamW.step)(self, closure)
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, -parameter.grad if group["maximize"] else parameter.grad, group)
        return loss

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, rate, (momentum, _) = self.state[parameter], group["lr"], group["betas"]
        if not state:
            # Its first gradient came after the freeze: that gives its second moment, as the first step of Adam's does.
            state |= {
                "step": torch.tensor(0.0),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": gradient.square(),
            }
        state["step"] += 1
        first = state["exp_avg"].lerp_(gradient, 1 - momentum)
        corrected = first / (1 - momentum ** float(state["step"]))
        parameter.mul_(1 - rate * group["weight_decay"])
        parameter.addcdiv_(corrected, (state["exp_avg_sq"] + group["eps"]).sqrt(), value=-rate)


def _without_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """An optimizer class's own step: torch wraps it, to run the hooks, once the process has made one of that class.

    The hooks of this step run around ``FrozenVarianceAdam.step``; they must not run twice.
    """
    own: Callable[..., Any] = step.__wrapped__ if getattr(step, "hooked", False) else step  # type: ignore[attr-defined]
    return own
