"""The records of this package's benchmarks. They import nothing heavy."""
