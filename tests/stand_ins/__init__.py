"""Text of packages that stand for others, which are not installed."""

from pathlib import Path

TRANSFORMERS = (Path(__file__).parent / "transformers_package.py").read_text()
