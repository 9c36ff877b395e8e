"""What a cycle is booked under, its stage and its cause: each once, with the words that reports have for it."""

from __future__ import annotations

from ..accel.specification import SIDES

ON_ARRAY: dict[str, str] = {
    "busy": "array busy",
    "imbalance": "lanes wait for each other",
    "bubble": "accumulate latency not hidden",
    "fill_drain": "array fill and drain",
}
"""The array's own. ``busy``: PEs issue (edge folds counted whole). ``imbalance``: so they do, but for the fullest lane
alone: zeros lie without a rule. ``bubble``: the accumulate latency is not hidden. ``fill_drain``: skew, stationary
loads, results on their way out."""

AT_SIDES: dict[str, str] = {side: f"waits for the {side} side" for side in SIDES}
"""It waits for a port, or for DRAM on that side."""

BETWEEN_TILES: dict[str, str] = {
    "dependence": "waits for the vector engine",
    "reduction": "waits for N:M reduction",
    **AT_SIDES,
}
"""Conditions of the next tile in order of precedence: the first that is not met names the cycle."""

CYCLE_CAUSES: dict[str, str] = {
    **ON_ARRAY,
    "dependence": BETWEEN_TILES["dependence"],
    "reduction": BETWEEN_TILES["reduction"],
    "update": "waits for the weight update",
    **AT_SIDES,
    "idle": "array idle: its products are done",
}
"""All of them. ``idle``: its last product is done, and vector work ends the step without it."""

STAGES: dict[str, str] = {
    "FF": "FF: forward",
    "BP": "BP: input gradients",
    "WU": "WU: weight gradients",
    "update": "weight update",
    "reduction": "N:M reduction",
    "vector": "vector work",
}
"""Stages of a step, in words; their exposed cycles sum to the total."""
