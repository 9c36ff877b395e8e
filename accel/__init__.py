"""The hardware: its specification, the cycle model of each engine, and energy. Knows nothing of networks."""
