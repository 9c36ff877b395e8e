"""Bounds that no machine reaches: what stays within them overflows nothing that is not refused."""

from __future__ import annotations

LONGEST_LATENCY = 1 << 16
"""Cycles."""

MOST_LANES = 1 << 24
"""Lanes, banks, bytes a cycle."""

LARGEST_MEMORY = 1 << 60
"""Bytes."""
