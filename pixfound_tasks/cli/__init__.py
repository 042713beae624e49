"""The `pixfound` command."""
