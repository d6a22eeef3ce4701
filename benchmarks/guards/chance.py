"""Chance that is the same in every run, on every machine and in whatever order cells are measured."""

from zlib import crc32

import numpy as np

SEED = 20_260_101


def chance(*cell: object) -> np.random.Generator:
    """The dice of one cell, named by what it measures."""
    return np.random.default_rng([SEED, crc32(repr(cell).encode())])
