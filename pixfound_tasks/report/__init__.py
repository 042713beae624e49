"""Renders reports, comparisons, checks and leaderboards of runs."""
