"""Capture: from any ``torch.nn.Module`` to a ``TrainingGraph``, without data and without a device.

The module is moved to torch's meta device (shapes only) and one training step, forward, loss and backward, runs under a
dispatch mode that sees every aten operator. What is modelled: each matrix product with its geometry, each vector
operation with its elements, each dependence, one update a trainable parameter. What is not: views and allocation
(free), host code between operators, control flow that depends on values (refused), the optimiser's own operators (an
update is one operator; the hardware's update engine prices it).

Conventions: the parameter is a product's right operand (FF, BP) and a weight gradient is oriented as X^T dY; a bias of
a fused operator is a vector operation of its own; dropout is one operation that also writes its mask; attention runs as
its products. The capture is checked against torch's own counter (see ``mac_counter``).
"""

from .cache import GraphCache
from .factories import load_factory
from .losses import LOSSES, Loss
from .module_capture import capture, capture_path
from .network_source import NetworkSource
from .sources import find_source

__all__ = ["LOSSES", "GraphCache", "Loss", "NetworkSource", "capture", "capture_path", "find_source", "load_factory"]
