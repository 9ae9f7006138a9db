"""Recognisers: speech in, phones out."""
