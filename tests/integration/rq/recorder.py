"""A job function that writes down what it was called with."""

calls: list[tuple[str, list[list[int]]]] = []


def run(topic: str, rows: list[list[int]]) -> None:
    """Called by a worker in this process."""
    calls.append((topic, rows))
