"""What the invariants mean and how to put things right, in words of our own: ``key: (message, fix)``."""

WORDS: dict[str, tuple[str, str]] = {}
