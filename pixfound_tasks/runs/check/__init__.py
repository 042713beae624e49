"""Checks whether a run meets requirements."""
