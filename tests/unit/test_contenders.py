"""What CLIP is compared with: seeded per phrase, centred, disjoint."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from clip_grounding.contenders import Draw, center_map, choose_mismatched, random_map


def test_random_maps_depend_on_the_phrase_and_on_what_is_drawn_alone():
    first = random_map(50, 7, 3, 1, Draw.PIXELS)
    assert np.array_equal(first, random_map(50, 7, 3, 1, Draw.PIXELS))
    others = [(8, 3, 1, Draw.PIXELS), (7, 4, 1, Draw.PIXELS), (7, 3, 1, Draw.CELLS)]
    assert not any(np.array_equal(first, random_map(50, *other)) for other in others)
    assert first.dtype == np.float32


def test_the_centre_map_is_highest_in_the_middle_and_symmetric():
    values = center_map(7, 7)
    assert values.argmax() == 24
    np.testing.assert_array_equal(values, values[::-1, ::-1])
    np.testing.assert_allclose(values[3, 3 + 7 // 4] / values[3, 3], np.exp(-((4 / 7) ** 2) / 2))


segments = st.lists(st.sets(st.integers(1, 6), min_size=1, max_size=3), min_size=1, max_size=8)


@given(segments, st.integers(0, 3))
def test_a_mismatched_phrase_is_disjoint_and_missing_only_where_none_is(sets, seed):
    phrases = pd.DataFrame(
        {
            "narrative": 0,
            "phrase": range(len(sets)),
            "segment_ids": [sorted(own) for own in sets],
        }
    )
    chosen = choose_mismatched(phrases, seed)
    for own, other in zip(sets, chosen, strict=True):
        if other >= 0:
            assert own.isdisjoint(sets[other])
        else:
            assert not any(own.isdisjoint(candidate) for candidate in sets)
