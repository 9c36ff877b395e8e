"""The report of a design-space exploration."""
