"""A run in words: how many cases held, and of each that did not which rule, what was seen and where to look."""

from collections.abc import Iterator, Sequence

from hip.entrypoints.certify.running import Result


def tally(results: Sequence[Result]) -> str:
    """One line about all of them."""
    played = [result for result in results if result.played]
    required = [result for result in played if result.case.required]
    held = sum(result.held for result in required)
    twins = [twin for result in played for twin in result.twins]
    parts = [f"{held} of {len(required)} mandatory cases hold"]
    others = [result for result in played if not result.case.required]
    if others:
        parts.append(f"{sum(result.held for result in others)} of {len(others)} optional")
    if twins:
        parts.append(f"{sum(twin.right for twin in twins)} of {len(twins)} twins fail as they must")
    if len(played) < len(results):
        parts.append(f"{len(results) - len(played)} cases are replaced in v3")
    return "; ".join(parts)


def troubles(results: Sequence[Result]) -> Iterator[str]:
    """Lines about every case that failed, and every twin that did not."""
    for result in results:
        if result.failure is not None:
            yield f"{result.case.key} does not hold"
            yield f"  rule  {result.failure.rule}"
            yield f"  seen  {result.failure.seen}"
            yield f"  look  {result.failure.look}"
        for twin in result.twins:
            if not twin.right:
                where = "it held" if twin.failure is None else f"it failed at {twin.failure.rule}: {twin.failure.seen}"
                yield f"{result.case.key}: the twin '{twin.twin.name}' must fail at {twin.twin.fails}; {where}"
