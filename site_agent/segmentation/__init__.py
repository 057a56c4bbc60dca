"""What all experts of segmentation that are here see in images: measured, written, shown."""
