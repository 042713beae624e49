"""The `pixfound` command: reports, comparisons and checks of what lmms-eval wrote."""
