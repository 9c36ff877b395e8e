"""Which vector operation an aten operator is, by name. Free of torch.

The hardware's vector table prices the kinds of ``configs.vector_kinds``. An operator that is in no table below is
``elementwise`` when torch tags it as pointwise, and ``unknown`` otherwise: reported, and its elements counted as a
generic pass.
"""

from __future__ import annotations

from collections.abc import Collection

ALLOCATIONS: frozenset[str] = frozenset(
    {"empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided", "resize"}
)
"""Operators that reserve memory and write nothing: free."""

METADATA_CHANGES: frozenset[str] = frozenset(
    {"transpose", "t", "squeeze", "unsqueeze", "swapaxes", "swapdims", "as_strided", "detach", "set"}
)
"""Views whose in-place form changes strides, not data: free."""

OVERWRITES: frozenset[str] = frozenset(
    {"copy", "zero", "fill", "bernoulli", "normal", "uniform", "random", "exponential"}
)
"""Operators whose in-place form does not read what stood there before."""

LOOKUPS: frozenset[str] = frozenset(
    {f"aten.{name}" for name in ("embedding", "index", "index_select", "gather", "take")}
)
"""Operators that read only the rows they are asked for, however large the table is."""

_ATEN_NAMES: dict[str, str] = {
    "batch_norm": "native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training"
    " _native_batch_norm_legit_functional _batch_norm_with_update cudnn_batch_norm",
    "batch_norm_backward": "native_batch_norm_backward batch_norm_backward cudnn_batch_norm_backward",
    # Root-mean-square and weight normalisation make the same passes over their operands as a layer normalisation.
    "layer_norm": "native_layer_norm _fused_rms_norm _weight_norm_interface",
    "layer_norm_backward": "native_layer_norm_backward _fused_rms_norm_backward _weight_norm_interface_backward",
    "group_norm": "native_group_norm",
    "group_norm_backward": "native_group_norm_backward",
    "relu": "relu",
    "relu_backward": "threshold_backward",
    "gelu": "gelu",
    "gelu_backward": "gelu_backward",
    "silu": "silu",
    "silu_backward": "silu_backward",
    "sigmoid": "sigmoid",
    "sigmoid_backward": "sigmoid_backward",
    "tanh": "tanh",
    "tanh_backward": "tanh_backward",
    "hardtanh": "hardtanh relu6",
    "hardtanh_backward": "hardtanh_backward",
    "softmax": "_softmax _safe_softmax",
    "softmax_backward": "_softmax_backward_data",
    "log_softmax": "_log_softmax",
    "log_softmax_backward": "_log_softmax_backward_data",
    "nll_loss": "nll_loss_forward nll_loss2d_forward",
    "nll_loss_backward": "nll_loss_backward nll_loss2d_backward",
    "max_pool": "max_pool2d_with_indices max_pool3d_with_indices adaptive_max_pool2d adaptive_max_pool3d",
    "max_pool_backward": "max_pool2d_with_indices_backward max_pool3d_with_indices_backward"
    " adaptive_max_pool2d_backward adaptive_max_pool3d_backward",
    "average_pool": "avg_pool2d avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d",
    "average_pool_backward": "avg_pool2d_backward avg_pool3d_backward _adaptive_avg_pool2d_backward"
    " _adaptive_avg_pool3d_backward",
    "add": "add sub rsub",
    "multiply": "mul",
    "reduce": "sum mean var var_mean std std_mean amax amin aminmax max min prod all any argmax argmin logsumexp"
    " linalg_vector_norm norm nansum dot vdot count_nonzero mse_loss l1_loss smooth_l1_loss huber_loss"
    " binary_cross_entropy binary_cross_entropy_with_logits",
    "elementwise": "arange linspace eye tril triu where masked_fill cumsum cumprod rand randn randint rand_like"
    " randn_like randint_like randperm normal uniform bernoulli random exponential mse_loss_backward"
    " smooth_l1_loss_backward huber_loss_backward binary_cross_entropy_backward one_hot lerp"
    " hardswish hardswish_backward hardsigmoid hardsigmoid_backward mish mish_backward elu elu_backward"
    " leaky_relu leaky_relu_backward softplus softplus_backward log_sigmoid_forward log_sigmoid_backward glu"
    " glu_backward _prelu_kernel _prelu_kernel_backward softshrink softshrink_backward hardshrink hardshrink_backward"
    " upsample_linear1d upsample_linear1d_backward upsample_bilinear2d upsample_bilinear2d_backward"
    " upsample_trilinear3d upsample_trilinear3d_backward upsample_bicubic2d upsample_bicubic2d_backward"
    " _upsample_bilinear2d_aa _upsample_bilinear2d_aa_backward grid_sampler_2d grid_sampler_2d_backward",
    # What takes several operations an element: a series, a table, a division.
    "transcendental": "exp exp2 expm1 log log2 log10 log1p sqrt rsqrt reciprocal div remainder fmod pow erf erfc"
    " erfinv sin cos tan asin acos atan atan2 sinh cosh asinh acosh atanh lgamma digamma",
    "embedding": "embedding _embedding_bag",
    "embedding_backward": "embedding_dense_backward _embedding_bag_backward _embedding_bag_dense_backward",
    "dropout": "native_dropout",
    "dropout_backward": "native_dropout_backward",
    "copy": "clone copy _to_copy contiguous cat stack constant_pad_nd reflection_pad1d reflection_pad2d"
    " reflection_pad3d replication_pad1d replication_pad2d replication_pad3d reflection_pad2d_backward"
    " replication_pad2d_backward index index_select index_put _unsafe_index _unsafe_index_put gather scatter"
    " scatter_add index_add index_copy repeat roll flip select_backward slice_backward select_scatter slice_scatter"
    " as_strided_scatter diagonal_backward unfold_backward index_select_backward im2col col2im pixel_shuffle"
    " pixel_unshuffle channel_shuffle upsample_nearest1d upsample_nearest2d upsample_nearest3d"
    " upsample_nearest1d_backward upsample_nearest2d_backward upsample_nearest3d_backward lift_fresh_copy"
    " repeat_interleave masked_select take split_with_sizes_copy _reshape_copy permute_copy view_copy expand_copy",
    "zero_fill": "zeros ones full zero fill new_zeros new_ones new_full zeros_like ones_like full_like scalar_tensor",
}

KIND_OF: dict[str, str] = {name: kind for kind, names in _ATEN_NAMES.items() for name in names.split()}


def base_name(aten_name: str) -> str:
    """The operator's name without what marks its in-place or list form.

    >>> base_name("_foreach_add_"), base_name("relu_")
    ('add', 'relu')
    """
    name = aten_name.removeprefix("_foreach_")
    return name[:-1] if name.endswith("_") and not name.endswith("__") else name


def vector_kind(aten_name: str, *, namespace: str = "aten", tags: Collection[str] = ()) -> str:
    """The kind of a vector operator.

    Args:
        aten_name: such as ``relu_`` or ``_softmax``.
        namespace: operators outside ``aten`` are unknown whatever they are called.
        tags: torch's own tags; ``pointwise`` and ``reduction`` catch the many operators that need no line here.

    >>> vector_kind("relu_"), vector_kind("exp", tags=["pointwise"]), vector_kind("_fft_r2c")
    ('relu', 'transcendental', 'unknown')
    """
    if namespace != "aten":
        return "unknown"
    known = KIND_OF.get(base_name(aten_name))
    if known is not None:
        return known
    if "pointwise" in tags:
        return "elementwise"
    return "reduce" if "reduction" in tags else "unknown"
