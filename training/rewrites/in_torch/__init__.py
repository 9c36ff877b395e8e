"""Rewrites made on a torch module that is to be trained: what ``rewritten`` makes of its graph, made of the module."""

from .activations import activations_of
from .rewrite_module import check_rewritten, rewrite_captured, rewrite_module, rewrites_of

__all__ = ["activations_of", "check_rewritten", "rewrite_captured", "rewrite_module", "rewrites_of"]
