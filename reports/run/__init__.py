"""The report of one run: a step under a few recipes."""
