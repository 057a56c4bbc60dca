"""Standing it up: the demonstration, the Flower app bundle, services."""
