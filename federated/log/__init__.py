"""The append-only record: Merkle tree, checkpoints, tiles, witnesses."""
