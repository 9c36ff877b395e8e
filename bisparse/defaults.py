"""What is simulated where nobody says: the paper's method and ratio on its reference design."""

HARDWARE = "sat-vcu1525"
RECIPE = "bdwp"
SPARSITY = "2:8"
