"""Rewrites made on a torch module that is to be trained: what ``rewritten`` makes of its graph, made of the module."""

from .activations import activations_of
from .calibration import Calibration
from .carried_optimizer import carry
from .coupled_slices import CoupledGroup, coupled_slices
from .narrowed_module import Moved, Widths
from .rewrite_module import check_rewritten, made_by, proved, rewrite_captured, rewrite_module, rewrites_of
from .scoring import ranked_ratios
from .settled import settle
from .sliced_stream import slice_stream

__all__ = [
    "Calibration",
    "CoupledGroup",
    "Moved",
    "Widths",
    "activations_of",
    "carry",
    "check_rewritten",
    "coupled_slices",
    "made_by",
    "proved",
    "ranked_ratios",
    "rewrite_captured",
    "rewrite_module",
    "rewrites_of",
    "settle",
    "slice_stream",
]
