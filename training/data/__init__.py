"""Real data to train on, offline: shipped by packages of PyPI, by Python itself, or the user's own files.

numpy only; the trainer makes the tensors. Nothing is downloaded here, and no split depends on a training seed. The test
split is for the last measurement of a run and for nothing else.
"""

from .batches import Augmentation, Batch, TrainingBatches, evaluation_batches, steps_per_epoch
from .data_set import DataSet, Split
from .loading import load_data, names

__all__ = [
    "Augmentation",
    "Batch",
    "DataSet",
    "Split",
    "TrainingBatches",
    "evaluation_batches",
    "load_data",
    "names",
    "steps_per_epoch",
]
