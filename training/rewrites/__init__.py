"""Graph rewrites: what a recipe makes of a network's layers before anything is pruned. Free of torch.

A file a kind, each an entry of a recipe's ``rewrites``: ``kinds`` lists them, ``rewrite`` is the protocol that they
answer, ``apply`` makes a graph by a recipe's entries in their order. A rewrite takes a ``TrainingGraph`` and gives one
that equals, operator by operator, the capture of a torch module changed by hand; so masks, passes, schedules, both
engines, memory and energy follow it without knowing of it. ``layers`` finds layers in a graph, ``fragment`` builds what
stands in their place, with its backward pass and its updates.
"""
