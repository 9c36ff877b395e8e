"""A ratio for each layer, chosen by magnitude kept and cycles saved."""
