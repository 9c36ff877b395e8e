"""ONNX files as networks: a graph of operators becomes a ``torch.nn.Module`` that runs each of them in torch.

torch then differentiates it, and the capture records the step as it does any module's: there is no second way of
taking gradients. What is modelled: every operator that ``rules`` has a line for, floating initialisers as parameters,
running statistics of a normalisation as buffers. What is not: which initialisers were frozen (a file does not say).
Operators of other domains but for a few of Microsoft's, loops, and integers multiplied with integers are refused by
name.

What holds extents (``Shape`` and all that is computed from it) is computed on the CPU and unseen by the recorder, so
that data may be shapes alone. Nothing of a file is ever executed: it is read with ``onnx``'s own reader.

Source: ONNX operator schemas, https://onnx.ai/onnx/operators, up to opset 28.
"""

from .source import onnx_source

__all__ = ["onnx_source"]
