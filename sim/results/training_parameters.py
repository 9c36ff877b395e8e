"""Which parameters of a design and of its energy table only training asks for: an inference rests on none of them."""

from __future__ import annotations

_OF_TRAINING = ("update_engine.", "policy.overlap_update", "policy.pre_generation", "update_")
_KINDS = ("bias_gradient", "gradient_add", "nll_loss")
_OPERATION = "vector_engine.operations."


def serves_training(path: str) -> bool:
    """Whether a parameter, by its path in its file, is of training alone.

    >>> serves_training("vector_engine.operations.gelu_backward.passes"), serves_training("tensor_engine.rows")
    (True, False)
    """
    kind = path.removeprefix(_OPERATION).partition(".")[0] if path.startswith(_OPERATION) else ""
    return path.startswith(_OF_TRAINING) or kind.endswith("_backward") or kind in _KINDS
