"""Starter text-to-image diffusion model: busts of illustrated characters, by captions."""
