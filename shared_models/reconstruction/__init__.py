"""Reconstruction: the heart in 3D from a few named views."""
