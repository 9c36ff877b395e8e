"""The freeze: every figure of the simulator, to the last bit, so that a rewriting that changes none can be told.

``python tests/golden/freeze.py`` makes the files of this folder, ``--check`` computes all again and prints each
difference. What is frozen, and in which file:

- ``steps-analytic``, ``steps-event``: every shipped workload, recipe and design at 2:8 with default options, by both
  engines: all of ``FIGURES``, and digests of the parts of the whole result document (each row of each operator is in
  one). Where a design cannot run a step: the reason, word for word.
- ``options``: each option of a step, each N:M of the designs and some that none has, by both engines, on three
  networks, with figures and digests as above.
- ``documents``: ResNet-18 under BDWP on every design by both engines (dense where a design has no N:M), and some with
  options: the whole document, so that the check can name operator and field.
- ``ablations``, ``products``, ``trainings``: whole documents of ``bisparse ablate``, of ``bisparse gemm`` and of
  training runs.
- ``wild-designs``, ``wild``: designs that no architect would draw, written out, with their figures, which must come out
  simulated one by one and evaluated side by side; of some of them by events too.
- ``index.csv``: headline figures of all steps as plain text, for people who read a diff.

Floats are written as Python's ``repr``, which gives them back exactly. Left out of documents: ``bisparse_version`` and
the hashes of inputs. Paths in messages begin at ``configs/``.

Not frozen: training in torch and what it measures, co-design studies, a ratio for each layer (``assign``), sweeps
(but for what ``evaluate`` gives of the wild designs), reports, the profile over time beyond its digest, timelines, and
saved schedules.
"""
