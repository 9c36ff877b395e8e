"""The stages, the engines and the causes of cycles of a step, in words."""

from __future__ import annotations

STAGE_WORDS = {
    "FF": "FF: forward",
    "BP": "BP: input gradients",
    "WU": "WU: weight gradients",
    "update": "weight update",
    "reduction": "N:M reduction",
    "vector": "vector work",
}


ENGINE_WORDS = {
    "tensor": "tensor",
    "vector": "vector",
    "update": "update",
    "reduction": "reduction",
    "dram": "DRAM",
}


CAUSE_WORDS = {
    "busy": "array busy",
    "bubble": "accumulate latency not hidden",
    "fill_drain": "array fill and drain",
    "dependence": "waits for the vector engine",
    "reduction": "waits for N:M reduction",
    "update": "waits for the weight update",
    "west": "waits for the west side",
    "north": "waits for the north side",
    "output": "waits for the output side",
    "idle": "array idle: its products are done",
}
