"""Manage the bytes of a file that have arrived, as sorted, disjoint spans [start, stop)."""

Span = tuple[int, int]


def add_span(spans: list[Span], start: int, stop: int) -> list[Span]:
    """Return `spans` with [start, stop) added; spans that touch are joined."""
    if start >= stop:
        return list(spans)
    touching = [span for span in spans if span[0] <= stop and span[1] >= start]
    apart = [span for span in spans if span[0] > stop or span[1] < start]
    joined = (min([start, *(a for a, _ in touching)]), max([stop, *(b for _, b in touching)]))
    return sorted([*apart, joined])


def remove_span(spans: list[Span], start: int, stop: int) -> list[Span]:
    """Return `spans` without [start, stop)."""
    if start >= stop:
        return list(spans)
    parts = [part for a, b in spans for part in ((a, min(b, start)), (max(a, stop), b))]
    return sorted({(a, b) for a, b in parts if a < b})


def find_gaps(spans: list[Span], start: int, stop: int) -> list[Span]:
    """Return the parts of [start, stop) that `spans` lack, in order."""
    gaps = []
    for a, b in spans:
        if a >= stop:
            break
        if a > start:
            gaps.append((start, a))
        start = max(start, b)
    if start < stop:
        gaps.append((start, stop))
    return gaps


def count_bytes(spans: list[Span]) -> int:
    """Return the number of bytes in `spans`."""
    return sum(b - a for a, b in spans)


def join_near(spans: list[Span], distance: int) -> list[Span]:
    """Join spans that are at most `distance` bytes apart: one request instead of two."""
    joined: list[Span] = []
    for a, b in sorted(spans):
        if joined and a - joined[-1][1] <= distance:
            joined[-1] = (joined[-1][0], max(joined[-1][1], b))
        else:
            joined.append((a, b))
    return joined
