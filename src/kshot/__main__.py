"""``python -m kshot``."""

from kshot.cli import main

if __name__ == "__main__":
    main()
