"""What is simulated where nobody says: the paper's method and ratio on its reference design."""

HARDWARE = "sat-vcu1525"
RECIPE = "bdwp"
SPARSITY = "2:8"
BATCH = 32
"""Samples, of a network that one brings; a shipped one has its own."""
