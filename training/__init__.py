"""The training side: the graph of a training step, recipes as declarations, capture of torch modules.

Importing this package imports nothing heavy; torch is imported only by the modules that need it.
"""
