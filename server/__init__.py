"""What the coordinator runs: intake, registry, incremental fusion, releases."""
