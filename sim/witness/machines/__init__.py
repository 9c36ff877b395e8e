"""The witnesses: a register-level machine of the tensor engine, and a walker of tile loops.

Nothing here imports a cycle model. The machine's cycle counts and the walker's fetches are observed, never computed
from the closed forms that they are there to check; a test reads the imports of every file in this folder and holds it
to that.
"""
