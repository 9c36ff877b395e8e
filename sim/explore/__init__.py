"""Design-space exploration: sweeps over designs, recipes and workloads, from a file to a table of figures."""
