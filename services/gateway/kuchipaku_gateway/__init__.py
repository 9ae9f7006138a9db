"""The gateway service: characters, live speech and videos through one door.

It wires streams of the services behind it and keeps characters. No tensor, no codec and no
recogniser lives here; frame bytes pass through undecoded.
"""
