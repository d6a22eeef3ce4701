"""Seeded chance: every draw is a hash of what it is about, so no draw depends on the order of others."""

from hashlib import blake2b

SEPARATOR = "\x1f"  # between the parts, so that ("ab", "c") and ("a", "bc") are different lots


def lot(*about: object) -> float:
    """A number in [0, 1) that depends on the parts of `about` and on nothing else, on every machine."""
    digest = blake2b(SEPARATOR.join(map(str, about)).encode(), digest_size=8).digest()
    return (
        int.from_bytes(digest, "big") >> 11
    ) / 2**53  # 53 bits: what a float holds without rounding to 1.0


def one_in(every: int, index: int, *about: object) -> bool:
    """Whether `index` is the one drawn from its block of `every` indices.

    Exact where independent draws would only be about right: ten vehicles hold exactly one of a tenth.
    """
    block, place = divmod(index, every)
    return place == int(lot("one in", every, block, *about) * every)
