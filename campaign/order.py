"""The random order of vehicles: seeded, reproducible, the same in Python and in SQL.

Each vehicle has a fixed 32-bit lot. A seed turns lots into ranks by a bijection of 32-bit integers, so two
seeds give unrelated orders and no two lots share a rank. The arithmetic stays below 2**63 for SQL's bigint.
"""

import hashlib

_MASK = 0xFFFFFFFF


def lot(vin: str) -> int:
    """The vehicle's lot, 0 to 2**32 - 1, fixed by its VIN."""
    return int.from_bytes(hashlib.sha256(vin.encode()).digest()[:4], "big")


def scramble(seed: int) -> tuple[int, int]:
    """The two constants a seed stands for: an XOR mask and an odd multiplier below 2**31."""
    digest = hashlib.sha256(f"order:{seed}".encode()).digest()
    return int.from_bytes(digest[:4], "big"), (int.from_bytes(digest[4:8], "big") >> 1) | 1


def rank(lot: int, seed: int) -> int:
    """The vehicle's place in the order of a seed; smaller goes first."""
    mask, multiplier = scramble(seed)
    return ((lot ^ mask) * multiplier) & _MASK
