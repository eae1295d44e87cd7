"""Prepare batches in threads, and run a model on batches as large as memory allows."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import torch

from clip_grounding.errors import InputError


def make_batches(values: Iterable, size: int) -> Iterator[list]:
    """Yield `values` in lists of `size`, the last one shorter."""
    values = iter(values)
    while batch := list(islice(values, size)):
        yield batch


def prepare_batches(
    batches: Iterable[list], prepare: Callable, threads: int, ahead: int
) -> Iterator[tuple[list, list]]:
    """Prepare the items of batches in threads.

    Parameters
    ----------
    batches : iterable of list
    prepare : callable
        Turns an item into what the model takes; it runs in several threads at once.
    threads : int
        How many.
    ahead : int
        Batches that are prepared while an earlier one is in use: 1 where a GPU works meanwhile,
        0 where preparing would take the cores that the model runs on.

    Yields
    ------
    batch, prepared : list
        In the order of `batches`.
    """
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque = deque()
        try:
            for batch in batches:
                waiting.append((batch, [pool.submit(prepare, item) for item in batch]))
                if len(waiting) > ahead:
                    batch, futures = waiting.popleft()
                    yield batch, [future.result() for future in futures]
            for batch, futures in waiting:
                yield batch, [future.result() for future in futures]
        finally:
            pool.shutdown(cancel_futures=True)


class MemoryFit:
    """Runs a model on as many items at once as memory allows.

    A batch that does not fit is run in halves, and no later one is larger than what fitted.

    Attributes
    ----------
    size : int
        Items per batch; it only becomes smaller.
    """

    def __init__(self, size: int):
        self.size = size

    def run(self, model: Callable[[list], Iterable], items: list) -> list:
        """Return ``model(items)``, an output per item, from batches that fit.

        Raises
        ------
        InputError
            A single item does not fit.
        """
        outputs: list = []
        while len(outputs) < len(items):
            batch = items[len(outputs) : len(outputs) + self.size]
            try:
                outputs.extend(model(batch))
            except (torch.OutOfMemoryError, RuntimeError) as error:
                if not _is_out_of_memory(error):
                    raise
                self._shrink(len(batch), error)
            else:
                continue
            torch.cuda.empty_cache()  # outside `except`, which holds the failed batch's tensors
        return outputs

    def _shrink(self, size: int, error: Exception) -> None:
        if size == 1:
            raise InputError(
                f"one image or text alone needs more memory than there is ({error}): use a smaller"
                " model or fewer `layers`, or a machine or GPU with more memory"
            ) from error
        self.size = size // 2
        print(f"out of memory with a batch of {size}: going on with {self.size}", flush=True)


def _is_out_of_memory(error: Exception) -> bool:
    """Return whether memory ran out: a GPU's, or the machine's, for which torch has no class."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
