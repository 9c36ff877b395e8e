"""Lowering, mapping, traffic and the offline scheduler: pure functions from a graph and a design to a schedule."""
