"""One module per family of pixel-level models, and the registry that tells them apart."""
