"""Batches: in order, ahead of the model, and no larger than memory allows."""

import threading

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clip_grounding.errors import InputError
from clip_grounding.relevance.batches import MemoryFit, make_batches, prepare_batches


@given(st.lists(st.integers()), st.integers(1, 5), st.integers(1, 4), st.integers(0, 2))
def test_items_are_prepared_in_order_whatever_runs_ahead(items, size, threads, ahead):
    batches = prepare_batches(make_batches(items, size), lambda item: -item, threads, ahead)
    pairs = [pair for batch, prepared in batches for pair in zip(batch, prepared, strict=True)]
    assert pairs == [(item, -item) for item in items]


def test_the_next_batch_is_prepared_while_this_one_is_in_use():
    begun = [threading.Event() for _ in range(4)]

    def prepare(item):
        begun[item].set()

    batches = prepare_batches(make_batches(range(4), 2), prepare, threads=2, ahead=1)
    next(batches)
    assert begun[2].wait(10)
    assert begun[3].wait(10)


def test_an_error_in_preparing_arrives():
    batches = prepare_batches(make_batches([1, 0], 1), lambda item: 1 // item, 1, 1)
    with pytest.raises(ZeroDivisionError):
        list(batches)


class Memory:
    """A model that runs out of memory above some items."""

    def __init__(self, limit, error):
        self.limit, self.error, self.sizes = limit, error, []

    def __call__(self, batch):
        self.sizes.append(len(batch))
        if len(batch) > self.limit:
            raise self.error
        return [2 * item for item in batch]


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
def test_a_batch_that_does_not_fit_is_halved_and_the_size_is_remembered(error):
    fit, model = MemoryFit(16), Memory(5, error)
    items = list(range(20))
    assert fit.run(model, items) == [2 * item for item in items]
    assert model.sizes[:3] == [16, 8, 4]
    assert max(model.sizes[3:]) == 4
    model.sizes.clear()
    fit.run(model, items)
    assert max(model.sizes) == 4


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
def test_a_single_item_that_does_not_fit_is_an_error_with_a_remedy(error):
    with pytest.raises(InputError, match="use a smaller model or fewer `layers`"):
        MemoryFit(4).run(Memory(0, error), [1, 2, 3])


def test_another_error_of_the_model_is_not_hidden():
    with pytest.raises(RuntimeError, match="shape"):
        MemoryFit(4).run(Memory(0, RuntimeError("shape")), [1, 2])
