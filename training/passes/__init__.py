"""Passes: what of a network is run, each a rewrite of its training graph at the time of simulation. Free of torch.

A file a pass: the forward pass alone, one token more on a cache, frozen parameters, activations computed again,
micro-batches. ``choice`` says which, and applies them in their order. A pass takes a ``TrainingGraph`` and gives one,
so that recipes, schedules, both engines, memory and energy follow it without knowing of it.
"""
