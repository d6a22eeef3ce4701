"""What a campaign has told: its journal and its end, without the figures that differ from run to run.

``RECORD_TRANSCRIPTS=1 python -m pytest tests/system`` writes the golden ones anew. Read what has changed
before you keep it.
"""

import os
import re
from collections.abc import Iterable, Iterator
from difflib import unified_diff
from pathlib import Path

from campaign.journal import Line
from commands.client import Campaigns
from tests.system.garage import Garage
from workflows.status import Status

FOLDER = Path(__file__).parent / "transcripts"
RECORD = "RECORD_TRANSCRIPTS" in os.environ

#: Their figures are given by the definition or by an order, not by what happens.
_EXACT = frozenset({"registered", "selected", "phase", "limits"})

#: Dates, odds, and numbers that are no part of a name or a version. Limits stay, and what is counted by ones.
_MASKS = (
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?( UTC)?"), "DATE"),
    (re.compile(r"\b(over )?[\d,]+:1\b"), "#:1"),
    (
        re.compile(
            r"(?<![\w.:-])(?<!> )(?<!phase )(?<!number )(?<!window )\d+(?:,\d{3})*(?:\.\d+)?(?!\.?\w)"
        ),
        "#",
    ),
)

#: Whether the culprit is known at the stop or a moment later is a matter of milliseconds.
_CULPRIT = re.compile(r"; (\d+ of \d+ failures are on .+)$")

#: Of failures that are all over the fleet, the order of the reports decides which slice stands out first.
_SLICE = re.compile(r"(?<=_rate)\[[^]]+\]")

_VIN = re.compile(r"\b[A-HJ-NPR-Z0-9]{17}\b")


async def told(
    name: str, campaigns: Campaigns, garage: Garage, workflow_id: str, *, any_slice: bool = False
) -> Status:
    """Wait for the end of a campaign and compare what it has told with the golden transcript.

    Args:
        any_slice: whichever slice of the fleet crossed the limit first, or the whole of it.
    """
    await (await campaigns.find(workflow_id)).result()
    status = await campaigns.status(workflow_id)
    text = "\n".join([*_story(garage.journal(status.campaign_id)), "", *_end(status), ""])
    if any_slice:
        text = _SLICE.sub("", text)
    assert not _VIN.search(text), "a transcript names no vehicle"
    golden = FOLDER / f"{name}.txt"
    if RECORD:
        golden.write_text(text, encoding="utf-8")
    expected = golden.read_text(encoding="utf-8") if golden.exists() else ""
    difference = unified_diff(expected.splitlines(), text.splitlines(), golden.name, "told", lineterm="")
    assert text == expected, "\n".join(difference)
    return status


def masked(text: str) -> str:
    """The text without figures."""
    for figure, mask in _MASKS:
        text = figure.sub(mask, text)
    return text


def _story(lines: Iterable[Line]) -> Iterator[str]:
    for line in sorted(lines, key=lambda line: line.at):
        exact = line.event in _EXACT
        culprit = _CULPRIT.search(line.text) if line.event == "breach" else None
        text = line.text[: culprit.start()] if culprit else line.text
        yield f"{line.actor} {line.event}: {text if exact else masked(text)}"
        if culprit:
            yield f"{line.actor} culprit: {masked(culprit[1])}"


def _end(status: Status) -> Iterator[str]:
    yield f"{status.stage}: {masked(status.why)}"
    for phase in status.phases:
        yield f"phase {phase.number} ({phase.name}): {', '.join(sorted(phase.by_state)) or 'nobody'}"
    if status.excluded:
        yield f"left out: {', '.join(status.excluded)}"
    for window in status.windows:
        yield from (f"evidence window {window.number}: {masked(known)}" for known in window.sentences)
