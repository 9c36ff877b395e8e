"""|gamma| of the batch normalisations that a channel passes (Liu et al., ICCV 2017: network slimming)."""

from torch import Tensor

from .seen import GroupScore, SeenGroup


def scale(seen: SeenGroup) -> Tensor:
    """Summed where there are several.

    Raises:
        ConfigError: there is none.
    """
    return seen.magnitudes_behind(seen.scales, chosen_by="scale", need="a batch normalisation with a scale behind it")


SCALE = GroupScore(of=scale)
