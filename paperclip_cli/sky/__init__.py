"""Positions, footprints and cones on the sky."""
