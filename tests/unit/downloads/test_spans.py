"""Spans of bytes: whatever is added and removed, they say exactly which bytes are there."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from clip_grounding.downloads.spans import (
    add_span,
    count_bytes,
    find_gaps,
    join_near,
    remove_span,
)

SPAN = st.tuples(st.integers(0, 40), st.integers(0, 40))


def bytes_of(spans):
    return {byte for start, stop in spans for byte in range(start, stop)}


def build(changes):
    spans, expected = [], set()
    for adds, (start, stop) in changes:
        change = set(range(start, stop))
        spans = (add_span if adds else remove_span)(spans, start, stop)
        expected = expected | change if adds else expected - change
    return spans, expected


@given(st.lists(st.tuples(st.booleans(), SPAN)))
def test_spans_hold_the_bytes_that_were_added_and_not_removed(changes):
    spans, expected = build(changes)
    assert bytes_of(spans) == expected
    assert count_bytes(spans) == len(expected)
    assert spans == sorted(spans)
    assert all(a[1] < b[0] for a, b in itertools.pairwise(spans))


@given(st.lists(st.tuples(st.just(True), SPAN)), SPAN)
def test_gaps_are_the_bytes_that_are_missing(changes, window):
    spans, here = build(changes)
    assert bytes_of(find_gaps(spans, *window)) == set(range(*window)) - here


@given(st.lists(SPAN.filter(lambda span: span[0] < span[1])), st.integers(0, 5))
def test_near_spans_are_joined_across_small_gaps_alone(spans, distance):
    joined = join_near(spans, distance)
    assert bytes_of(joined) >= bytes_of(spans)
    assert all(b[0] - a[1] > distance for a, b in itertools.pairwise(joined))
    extra = sorted(bytes_of(joined) - bytes_of(spans))
    runs = [byte for byte in extra if byte - 1 not in extra]
    assert all(
        len([b for b in extra if start <= b < start + distance + 1]) <= distance for start in runs
    )
