"""Partially adaptive momentum estimation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer


class Padam(Optimizer):
    """AMSGrad whose denominator has an exponent between that of SGD with momentum and its own.

    Chen et al. 2020, "Closing the generalization gap of adaptive gradient methods in training deep neural networks",
    algorithm 1, with Adam's bias corrections:

    ``p <- p - lr * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v_max) + eps)^(2 * partial)``

    `partial` 0.5 is ``torch.optim.Adam(amsgrad=True)`` but for where eps is added, 0 is SGD with momentum. The learning
    rate is that of SGD, about 0.1.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 0.1,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        partial: float = 0.25,
    ) -> None:
        """
        Args:
            params: parameters, or groups of them.
            lr: learning rate, 0 or more.
            betas: decay of the averages of the gradient and of its square, 0..1, below 1 each.
            eps: above 0, added to the denominator.
            weight_decay: added to the gradient, times the parameter; 0 or more.
            partial: 0..0.5.

        Raises:
            ValueError: a number is out of its range.
        """
        if not lr >= 0:
            raise ValueError(f"lr must be 0 or more, not {lr}")
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas must be from 0 to below 1, not {betas}")
        if not eps > 0:
            raise ValueError(f"eps must be above 0, not {eps}")
        if not weight_decay >= 0:
            raise ValueError(f"weight_decay must be 0 or more, not {weight_decay}")
        if not 0 <= partial <= 0.5:
            raise ValueError(f"partial must be from 0 to 0.5, not {partial}")
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "partial": partial}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Change the parameters that have gradients; the closure's loss, if there is one."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group)
        return loss

    def _update(self, parameter: torch.Tensor, group: dict[str, Any]) -> None:
        state, (first, second) = self.state[parameter], group["betas"]
        if not state:
            state["step"] = torch.zeros(())
            for name in ("mean", "square", "largest_square"):
                state[name] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        gradient = parameter.grad
        assert gradient is not None
        if group["weight_decay"]:
            gradient = gradient.add(parameter, alpha=group["weight_decay"])
        state["step"] += 1
        step = float(state["step"])
        state["mean"].lerp_(gradient, 1 - first)
        state["square"].mul_(second).addcmul_(gradient, gradient, value=1 - second)
        torch.maximum(state["largest_square"], state["square"], out=state["largest_square"])
        scale = group["lr"] * (1 - second**step) ** 0.5 / (1 - first**step)
        adaptation = (state["largest_square"].sqrt() + group["eps"]) ** (2 * group["partial"])
        parameter.addcdiv_(state["mean"], adaptation, value=-scale)
