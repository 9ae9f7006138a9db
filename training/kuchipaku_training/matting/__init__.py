"""Starter matting network: cuts anime characters out of their backgrounds."""
