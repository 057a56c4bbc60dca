"""The heart in 3D from named views: what experts make of it, measured, written, shown."""
