"""The models that this package adds to lmms-eval."""
