"""The report of ratios assigned to layers."""
