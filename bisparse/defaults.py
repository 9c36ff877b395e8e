"""What is simulated where nobody says: the paper's method and ratio on its reference design."""

HARDWARE = "sat-vcu1525"
PART = "vcu1525"
"""The card that it is on."""
RECIPE = "bdwp"
SPARSITY = "2:8"
RECIPES = ("dense", "sr-ste", "sdgp", "bdwp")
"""That are compared."""

OWN_RECIPE = "static-masks"
"""Where a checkpoint's own zeros are pruned."""

BATCH = 32
"""Samples, of a network that one brings; a shipped one has its own."""


def compared(*, own: bool) -> tuple[str, ...]:
    """Recipes that are compared where nobody names any.

    Args:
        own: whether a checkpoint's own zeros are pruned.
    """
    return ("dense", OWN_RECIPE) if own else RECIPES
