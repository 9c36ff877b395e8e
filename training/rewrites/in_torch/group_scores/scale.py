"""|gamma| of the batch normalisations that a channel passes (Liu et al., ICCV 2017: network slimming)."""

from torch import Tensor

from .....configs.errors import ConfigError
from .seen import GroupScore, SeenGroup


def scale(seen: SeenGroup) -> Tensor:
    """Summed where there are several.

    Raises:
        ConfigError: there is none.
    """
    scales = {name: seen.parameters[name].abs() for name in seen.scales}
    if not any(each.tensor in scales for each in seen.group.slices):
        raise ConfigError(
            f"chosen_by: got scale of {seen.group.name}, need a batch normalisation with a scale behind it; try "
            "magnitude",
            field="chosen_by",
        )
    return seen.group.summed(scales)


SCALE = GroupScore(of=scale)
