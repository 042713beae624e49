"""Reads the output of an evaluation and computes its scores."""
