"""Lip sync: speech becomes mouth cues."""
