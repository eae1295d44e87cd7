from hypothesis import given
from hypothesis import strategies as st

from clip_grounding.workflow.shards import Shard, list_shards

counts = st.integers(1, 3000)
sizes = st.integers(1, 500)


@given(image_count=counts, size=sizes, max_images=st.none() | counts)
def test_shards_hold_the_first_images_once_and_in_order(image_count, size, max_images):
    shards = list_shards(image_count, size, max_images)
    ranks = [rank for shard in shards for rank in range(shard.start, shard.stop)]
    assert ranks == list(range(min(image_count, max_images or image_count)))


@given(image_count=counts, size=sizes, fewer=st.integers(1, 20), more=st.integers(0, 20))
def test_raising_max_images_to_a_later_multiple_keeps_the_earlier_shards(
    image_count, size, fewer, more
):
    before = list_shards(image_count, size, fewer * size)
    after = list_shards(image_count, size, (fewer + more) * size)
    assert after[: len(before)] == before


def test_val2017_has_ten_shards_of_500_images():
    shards = list_shards(5000, 500, None)
    assert len(shards) == 10
    assert shards[0] == Shard("0000", 0, 500)
    assert shards[-1] == Shard("0009", 4500, 5000)


def test_the_last_shard_holds_what_is_left():
    assert list_shards(7, 3, None)[-1] == Shard("0002", 6, 7)
    assert list_shards(100, 3, 4)[-1] == Shard("0001", 3, 4)
