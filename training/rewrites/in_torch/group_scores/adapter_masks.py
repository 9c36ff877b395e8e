"""sum |m| over the masks of the adapters that a channel passes (after Liu et al., 2024: PAT).

The paper has one mask for the stream; here each adapter has its own, and one choice is made by all of them.
"""

from torch import Tensor

from .....configs.errors import ConfigError
from ...adapter_names import MASK
from .seen import GroupScore, SeenGroup


def adapter_masks(seen: SeenGroup) -> Tensor:
    """Summed over a network's adapters.

    Raises:
        ConfigError: none has a mask.
    """
    masks = {name: each.abs() for name, each in seen.parameters.items() if name.endswith(f".{MASK}")}
    if not any(each.tensor in masks for each in seen.group.slices):
        raise ConfigError(
            f"chosen_by: got adapter-masks of {seen.group.name}, need adapters behind it that have a mask; try "
            "magnitude",
            field="chosen_by",
        )
    return seen.group.summed(masks)


ADAPTER_MASKS = GroupScore(of=adapter_masks)
