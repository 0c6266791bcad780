"""Probabilities to a submission."""
