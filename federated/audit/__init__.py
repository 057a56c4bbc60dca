"""What an auditor verifies from files and public keys alone."""
