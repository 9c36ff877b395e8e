"""How a design meets the formats of operands: what its PEs skip, how long lanes wait for each other, what is stored."""
