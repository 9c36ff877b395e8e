"""The mapping search compiled: a design, or many, each searched by itself.

``case`` is what it is told, ``tables`` make it of a product; ``steps`` and ``kernel`` are loops over plain numbers
around the formulas that numpy broadcasts elsewhere; ``numba_build`` compiles both, where numba is installed. A dataflow
takes part that is said in plain formulas (``dataflows.formulas``).
"""
