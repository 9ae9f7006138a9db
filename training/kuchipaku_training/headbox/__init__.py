"""Starter head-box networks: find the head of an anime character and judge its face."""
