"""Training: one run from its settings to its summary, and many of them side by side."""

from .study import train_all
from .trainer import train

__all__ = ["train", "train_all"]
