"""What the parameters of an adapter are called, under the layer that has it. Free of torch, and of other rewrites."""

NAMES = ("adapter_a", "adapter_b")
"""The two factors, A that reads and B that writes."""

MASK = "adapter_mask"
"""A number a channel of what is behind the layer."""
