"""The page of a report: one file that opens from disk."""
