"""``python -m kuchipaku``."""

from kuchipaku.cli.main import main

if __name__ == "__main__":
    main()
