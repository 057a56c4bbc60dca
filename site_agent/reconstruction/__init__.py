"""What all experts of reconstruction that are here make of a heart's views: measured, written, shown."""
