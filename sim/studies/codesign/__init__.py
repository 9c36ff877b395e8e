"""Accuracy beside time and energy: recipes trained and simulated at several ratios."""
