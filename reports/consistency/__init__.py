"""The report of designs that agree with claims."""
