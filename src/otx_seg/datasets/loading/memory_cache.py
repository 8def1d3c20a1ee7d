"""Decoded images and masks in memory that the loader's processes share, so that only the first epoch decodes files.

They are kept as they are decoded, at full size: augmentation samples the original pixels, without a low-pass filter, so
that anything smaller would train another network.
"""

from __future__ import annotations

import logging
import mmap
import multiprocessing
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from otx_seg.datasets.loading.free_memory import free_memory

try:
    import fcntl
except ImportError:  # Windows; there, processes are not forked and share no such memory
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

LEAST_FREE = 1 << 30
"""Bytes that must be free for there to be a cache at all; it gets at most half of what is."""

_ALIGNMENT = 64  # bytes, a line of the processor's cache
_EMPTY, _BEING_FILLED, _FULL = 0, 1, 2

Pixels = NDArray[np.uint8]


class Cache(Protocol):
    """Where views look for decoded files; each has a slot, a number from 0 on."""

    def read(self, slot: int, decode: Callable[[], Pixels]) -> Pixels: ...


class NoCache:
    """Remembers nothing."""

    def read(self, slot: int, decode: Callable[[], Pixels]) -> Pixels:
        """What `decode` gives."""
        return decode()


class MemoryCache:
    """Remembers arrays, in every process forked from the one that made it.

    The memory has no name in the file system: it is gone with the last process that holds it, however that ends. What
    does not fit any more is decoded each time; nothing is thrown out, since in random order every image is wanted as
    soon as every other.
    """

    def __init__(self, size: int, slots: int) -> None:
        """
        Args:
            size: bytes, all told. They are taken from the system when they are first used.
            slots: number of slots.

        Raises:
            OSError: the system does not give so much memory, or no temporary file.
            ValueError: it is not enough for the list of what is there.
        """
        # A row per slot: state, first byte, shape; before them the number of bytes in use.
        head = _aligned((1 + 5 * slots) * 8)
        if size <= head:
            raise ValueError(f"{size} bytes are too few for {slots} slots")
        self.size = size
        memory = mmap.mmap(-1, size)
        numbers = np.frombuffer(memory, np.int64, 1 + 5 * slots)
        self._used, self._rows = numbers[:1], numbers[1:].reshape(slots, 5)
        self._bytes = np.frombuffer(memory, np.uint8)
        self._used[0] = head
        # A lock of the file system is the one kind that a killed process lets go of.
        self._lock_file: Any = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the cache lives

    @property
    def used(self) -> int:
        """Bytes in use."""
        return int(self._used[0])

    def read(self, slot: int, decode: Callable[[], Pixels]) -> Pixels:
        """The array of a slot, made by `decode` if nothing is there yet.

        Args:
            decode: gives a uint8 array of one to three dimensions.

        Returns:
            The array; from the second time on, read-only.
        """
        found = self._find(slot)
        if found is not None:
            return found
        pixels = decode()
        place = self._reserve(slot, pixels.shape)
        if place is not None:
            place[...] = pixels
            with self._locked():
                self._rows[slot, 0] = _FULL
        return pixels

    def _find(self, slot: int) -> Pixels | None:
        with self._locked():
            state, start, *shape = self._rows[slot].tolist()
        if state != _FULL:
            return None
        found = self._view(start, tuple(side for side in shape if side))
        found.flags.writeable = False
        return found

    def _reserve(self, slot: int, shape: tuple[int, ...]) -> Pixels | None:
        """Room for an array; None if there is not enough, or another process has begun to fill the slot."""
        length = int(np.prod(shape))
        with self._locked():
            start = self.used
            if self._rows[slot, 0] != _EMPTY or not length or start + length > self.size:
                return None
            self._used[0] = min(start + _aligned(length), self.size)
            self._rows[slot] = (_BEING_FILLED, start, *shape, *(0,) * (3 - len(shape)))
        return self._view(start, shape)

    def _view(self, start: int, shape: tuple[int, ...]) -> Pixels:
        return self._bytes[start : start + int(np.prod(shape))].reshape(shape)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.lockf(self._lock_file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._lock_file, fcntl.LOCK_UN)


def open_cache(asked: int, slots: int, workers: int, processes: int = 1) -> Cache:
    """A cache of at most the size asked for; messages say where there is less than that, or none.

    Args:
        asked: bytes for all processes of this machine together; 0: none.
        slots: number of slots.
        workers: processes that load for this one.
        processes: that train together on this machine; each has a cache of its own.
    """
    if not asked:
        return NoCache()
    if fcntl is None or (workers and multiprocessing.get_start_method() != "fork"):
        logger.info("no memory cache: on this system the loading processes share no memory; every epoch decodes again")
        return NoCache()
    free = free_memory()
    if free is not None and free < LEAST_FREE:
        logger.info("no memory cache: only %s of memory are free; every epoch decodes again", _text(free))
        return NoCache()
    size = room_for(asked)
    try:
        cache = MemoryCache(size // processes, slots)
    except (OSError, ValueError) as error:
        logger.info("no memory cache of %s: %s; every epoch decodes again", _text(size), error)
        return NoCache()
    if size < asked:
        logger.info("the memory cache gets %s instead of %s: half of what is free", _text(size), _text(asked))
    return cache


def room_for(asked: int) -> int:
    """Bytes that caches may take of those asked for: at most half of what is free."""
    free = free_memory()
    return asked if free is None else min(asked, free // 2)


def _text(size: int) -> str:
    return f"{size / 1e9:.2g} GB" if size >= 1e9 else f"{size / 1e6:.3g} MB"


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
