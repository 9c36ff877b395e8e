"""Design-space exploration: sweeps over designs, recipes and workloads, from a file to a table of figures."""

STORE_FILE = "study.sqlite"
"""The store in a study's directory."""
