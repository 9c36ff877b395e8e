"""Recurrent layers as sequences of products: what a capture records of them, and what trains under a recipe."""
