"""The vocabulary of vector operations: everything that a training step does beside matrix products, by kind.

A captured graph uses these names for its operators, and a hardware file for its prices; no room knows any other.
"""

from __future__ import annotations

VECTOR_KINDS: frozenset[str] = frozenset(
    {
        "bias_add",
        "bias_gradient",
        "batch_norm",
        "batch_norm_backward",
        "layer_norm",
        "layer_norm_backward",
        "group_norm",
        "group_norm_backward",
        "relu",
        "relu_backward",
        "gelu",
        "gelu_backward",
        "silu",
        "silu_backward",
        "sigmoid",
        "sigmoid_backward",
        "tanh",
        "tanh_backward",
        "hardtanh",
        "hardtanh_backward",
        "softmax",
        "softmax_backward",
        "log_softmax",
        "log_softmax_backward",
        "nll_loss",
        "nll_loss_backward",
        "max_pool",
        "max_pool_backward",
        "average_pool",
        "average_pool_backward",
        "add",
        "gradient_add",
        "multiply",
        "elementwise",
        "transcendental",
        "reduce",
        "embedding",
        "embedding_backward",
        "dropout",
        "dropout_backward",
        "copy",
        "zero_fill",
        "unknown",
    }
)

NORMALISATIONS = frozenset({"batch_norm", "layer_norm", "group_norm", "softmax", "log_softmax"})
"""Those that find a few numbers a channel or a row of one tensor, and then change each element by them alone."""
