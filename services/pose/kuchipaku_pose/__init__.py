"""Pose service: a character's canvas and pose vectors in, rendered frames out."""
