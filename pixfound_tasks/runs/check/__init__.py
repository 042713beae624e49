"""Whether a run satisfies requirements."""
