"""The records of the benchmarks of this package; they import nothing heavy."""
