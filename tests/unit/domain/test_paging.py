"""PUSH-01, PUSH-09: which push carries which record."""

from hypothesis import given
from hypothesis import strategies as st

from hip.domain.paging import LARGEST_PUSH, Paging

MB = 1024 * 1024


def placed(entries: int, sizes: list[int]) -> list[tuple[int, int]]:
    paging = Paging(entries_per_push=entries)
    return [paging.place(size) for size in sizes]


def test_push_01_by_default_every_record_has_a_push_of_its_own() -> None:
    assert placed(1, [10, 9 * MB, 10]) == [(1, 1), (2, 2), (3, 3)]


def test_larger_pages_are_bounded_in_count_and_in_bytes() -> None:
    assert placed(3, [1, 1, 1, 1]) == [(1, 1), (2, 1), (3, 1), (4, 2)]
    assert placed(16, [3 * MB, 5 * MB, 1]) == [(1, 1), (2, 1), (3, 2)]
    assert placed(16, [1, 20 * MB, 1]) == [(1, 1), (2, 2), (3, 3)]


@given(entries=st.integers(1, 16), sizes=st.lists(st.integers(0, 12 * MB), max_size=60))
def test_numbers_never_skip_and_no_push_is_over_its_bounds(entries: int, sizes: list[int]) -> None:
    pairs = placed(entries, sizes)
    assert [number for number, _ in pairs] == list(range(1, len(sizes) + 1))
    pushes = [push for _, push in pairs]
    assert pushes == sorted(pushes)
    assert set(pushes) == set(range(1, max(pushes, default=0) + 1))
    for push in set(pushes):
        carried = [size for size, of in zip(sizes, pushes, strict=True) if of == push]
        assert len(carried) <= entries
        assert len(carried) == 1 or sum(carried) <= LARGEST_PUSH
