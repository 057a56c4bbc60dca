"""Where all experts of contours that are here see the ventricle's border: measured, written, shown."""
