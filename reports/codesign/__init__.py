"""The report of a co-design study."""
