"""Each claim of the documentation is one command: ``python -m benchmarks NAME [--quick] --json FILE``."""
