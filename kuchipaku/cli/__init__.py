"""The command line: ``kuchipaku``."""
