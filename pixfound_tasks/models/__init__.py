"""The models that lmms-eval is given."""
