"""Token geometry that is measured on a model and its processor, with no knowledge of the family."""
