"""sum |m| over the masks of the adapters that a channel passes (after Liu et al., 2024: PAT).

The paper has one mask for the stream; here each adapter has its own, and one choice is made by all of them.
"""

from torch import Tensor

from ...adapter_names import MASK
from .seen import GroupScore, SeenGroup


def adapter_masks(seen: SeenGroup) -> Tensor:
    """Summed over a network's adapters.

    Raises:
        ConfigError: none has a mask.
    """
    masks = [name for name in seen.parameters if name.endswith(f".{MASK}")]
    return seen.magnitudes_behind(masks, chosen_by="adapter-masks", need="adapters behind it that have a mask")


ADAPTER_MASKS = GroupScore(of=adapter_masks)
