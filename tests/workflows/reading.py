"""Reading a history as a person would who looks for something in it."""

import base64
import re

#: What a VIN looks like: 17 letters and digits, without I, O and Q.
VIN = re.compile(r"(?<![A-Za-z0-9])[A-HJ-NPR-Z0-9]{17}(?![A-Za-z0-9])")


def texts(history: str) -> str:
    """A history's JSON with the content of its payloads, which is base64 there."""

    def decoded(match: re.Match[str]) -> str:
        return base64.b64decode(match[1]).decode(errors="replace")

    return re.sub(r'"data":\s*"([A-Za-z0-9+/=]+)"', decoded, history)


def vins(history: str) -> list[str]:
    """What looks like a VIN in a history's JSON."""
    return VIN.findall(texts(history))
