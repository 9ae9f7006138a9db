"""Silero's voice activity model, carried with its licence; see README.md."""
