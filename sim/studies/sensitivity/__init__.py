"""How far an answer moves within what its assumptions leave open: each alone, and all at once."""
