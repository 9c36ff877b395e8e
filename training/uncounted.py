"""Operators of a graph that may multiply and are not counted: no formula of theirs is known. Free of torch.

An operator that the capture cannot name is priced as one pass over its elements. Of some that is all they do (sorting,
searching, counting). Any other (a transform, a solver, a kernel of one's own) may hold multiplications that are missing
from the multiply-accumulates, from every bound and from every speedup.
"""

from __future__ import annotations

from ..configs.errors import CaptureError
from .graph import TrainingGraph

_NAMES = (
    "sort topk kthvalue median nanmedian mode floor_divide histc bincount searchsorted bucketize nonzero"
    " nonzero_static unique_dim unique_consecutive _unique _unique2 logcumsumexp _cummax_helper _cummin_helper isin"
    " equal masked_scatter put index_fill scatter_reduce index_reduce max_unpool2d max_unpool3d"
    " fractional_max_pool2d fractional_max_pool3d fractional_max_pool2d_backward fractional_max_pool3d_backward"
    " renorm polar complex multinomial poisson cauchy geometric log_normal nan_to_num _upsample_nearest_exact1d"
    " _upsample_nearest_exact2d _upsample_nearest_exact3d _upsample_nearest_exact1d_backward"
    " _upsample_nearest_exact2d_backward _upsample_nearest_exact3d_backward _ctc_loss _ctc_loss_backward"
    " multi_margin_loss multi_margin_loss_backward multilabel_margin_loss_forward multilabel_margin_loss_backward"
    " soft_margin_loss soft_margin_loss_backward rrelu_with_noise rrelu_with_noise_backward grid_sampler_3d"
    " grid_sampler_3d_backward fake_quantize_per_tensor_affine_cachemask"
    " _fake_quantize_per_tensor_affine_cachemask_tensor_qparams fake_quantize_per_channel_affine_cachemask"
)
_WITHOUT_MULTIPLICATIONS = frozenset(_NAMES.split())
"""Operators of torch that do at most a few operations an element, and none between rows and columns."""


def may_multiply(name: str) -> bool:
    """Whether an unknown operator can hold multiply-accumulates.

    >>> may_multiply("aten._fft_r2c"), may_multiply("aten.topk"), may_multiply("mykernels.fused_attention")
    (True, False, True)
    """
    namespace, _, base = name.rpartition(".")
    return namespace != "aten" or base not in _WITHOUT_MULTIPLICATIONS


def uncounted(graph: TrainingGraph) -> dict[str, str]:
    """Torch's name of each operator that may multiply and is not counted, by its name in the graph."""
    drafts = (operator.name for operator in graph.operators if operator.kind == "unknown")
    named = zip(drafts, (unknown.name for unknown in graph.unknown), strict=False)
    return {operator: name for operator, name in named if may_multiply(name)}


def refuse_uncounted(graph: TrainingGraph) -> None:
    """What ``--strict`` asks for.

    Raises:
        CaptureError: an operator may multiply and is not counted.
    """
    found = uncounted(graph)
    if not found:
        return
    operator, name = next(iter(found.items()))
    others = f" and {len(found) - 1} more" if len(found) > 1 else ""
    raise CaptureError(
        f"{graph.name}: {operator}: got {name}{others}, which may hold multiplications, need operators that are "
        "counted; try writing it as matrix products or convolutions, or without strict"
    )
