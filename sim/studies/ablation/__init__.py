"""The paper's dataflow optimisations, each on and off."""
