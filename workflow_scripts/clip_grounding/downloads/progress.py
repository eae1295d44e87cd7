"""Show the progress of a download: a bar on the terminal, if any, and sparse log lines."""

import time

from tqdm import tqdm

from clip_grounding.logs import terminal

LINE_EVERY = 30
"""Seconds between two log lines."""


class Progress:
    """Shows the bytes of a download as they arrive.

    Use it as a context manager.

    Parameters
    ----------
    name : str
        Name of the download.
    total : int or None
        Its size in bytes; None where the server has not announced it.
    here : int
        Bytes kept from an earlier attempt.
    """

    def __init__(self, name: str, total: int | None, here: int):
        self.name, self.total, self.here = name, total, here
        self._received, self._start = 0, time.monotonic()
        self._line = self._start
        screen = terminal()
        self._bar = tqdm(
            desc=name,
            total=total,
            initial=here,
            unit="B",
            unit_scale=True,
            leave=False,
            file=screen,
            disable=screen is None,
        )
        if here:
            print(f"{name}: going on after {here:,} bytes", flush=True)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind, *_) -> None:
        self._bar.close()
        if kind is None and self._received:
            print(self._describe(), flush=True)

    def announce(self, total: int | None, here: int) -> None:
        """Record the size that the server reports and how much of it has arrived."""
        self.total = self._bar.total = total
        self.here = here - self._received
        self._bar.n = here

    def advance(self, received: int) -> None:
        """Count bytes that have arrived."""
        self._received += received
        self._bar.update(received)
        if time.monotonic() - self._line >= LINE_EVERY:
            self._line = time.monotonic()
            print(self._describe(), flush=True)

    def _describe(self) -> str:
        seconds = max(time.monotonic() - self._start, 1e-3)
        rate = self._received / seconds
        here = self.here + self._received
        words = [f"{self.name}: {here / 1e6:,.1f} MB"]
        if self.total:
            words.append(f"of {self.total / 1e6:,.1f} MB ({here / self.total:.0%})")
        words.append(f"at {rate / 1e6:.1f} MB/s")
        if self.total and here < self.total and rate:
            words.append(f"{tqdm.format_interval((self.total - here) / rate)} left")
        return ", ".join([" ".join(words[:-1]), words[-1]]) if len(words) > 2 else " ".join(words)
