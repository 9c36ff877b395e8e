"""Methods of the catalogue that train no deep network: their mathematics in numpy, on small data.

What of them an accelerator of matrix products has to do is in ``training/models/associative.py``, to be captured and
simulated as any network is.
"""
