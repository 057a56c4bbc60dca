"""What a hospital runs: data in, local training, the egress gate, local prediction."""
