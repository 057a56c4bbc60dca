"""The heart in 3D from a few standard views: Pix2Vox++ and its efficient form, rivals, metrics and meshes."""
