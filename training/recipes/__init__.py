"""Recipes: what a sparse-training method prunes, when, and at what extra cost. Declarations only, free of torch."""
