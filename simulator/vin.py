"""Vehicle identification numbers with a correct check digit (ISO 3779, 49 CFR 565)."""

ALPHABET = "ABCDEFGHJKLMNPRSTUVWXYZ"  # I, O and Q are never used: they look like digits
PLANTS = ALPHABET
SERIALS = 10**6  # the last six positions
CAPACITY = SERIALS * len(PLANTS)
FIRST_YEAR, YEAR_CODES = 2010, "ABCDEFGHJKLMNPRSTVWXY"  # 2010..2030; also without U, Z and 0

_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_VALUES = {
    **{digit: int(digit) for digit in "0123456789"},
    **dict(zip("ABCDEFGH", range(1, 9), strict=True)),
    **{"J": 1, "K": 2, "L": 3, "M": 4, "N": 5, "P": 7, "R": 9},
    **dict(zip("STUVWXYZ", range(2, 10), strict=True)),
}


def check_digit(vin: str) -> str:
    """The digit, or X for ten, that belongs in position 9; what stands there now does not matter."""
    remainder = sum(_VALUES[char] * weight for char, weight in zip(vin, _WEIGHTS, strict=True)) % 11
    return "X" if remainder == 10 else str(remainder)


def vin(index: int, *, maker: str, descriptor: str, year: int) -> str:
    """The VIN of the vehicle number `index`; two indices never share one.

    `maker` is a WMI of 3 characters, `descriptor` 5 characters, `year` the model year (2010 to 2030).
    Raises ValueError beyond `CAPACITY` vehicles.
    """
    if not 0 <= index < CAPACITY:
        raise ValueError(f"there are VINs for {CAPACITY} vehicles, not for number {index}")
    plant, serial = divmod(index, SERIALS)
    draft = f"{maker}{descriptor}0{YEAR_CODES[year - FIRST_YEAR]}{PLANTS[plant]}{serial:06d}"
    return draft[:8] + check_digit(draft) + draft[9:]
