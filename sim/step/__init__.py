"""One training step in closed form: works timed alone and side by side, and the figures that follow."""
