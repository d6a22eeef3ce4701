"""Building a definition in Python, a phase at a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from campaign.phase import Phase


class Campaign:
    """A campaign in the making.

    >>> winter = Campaign("Winter Optimization", "NORMAL", "Pkg_v2.4")
    >>> winter.add_phase(criteria="Model_Y", rollout_percent=5, wait_time_hours=24)
    >>> winter.add_phase(criteria="Model_Y", rollout_percent=100, wait_time_hours=0)

    Nothing is checked before the whole is launched, so that one message names every problem.
    """

    def __init__(self, name: str, priority: str = "NORMAL", package: Any = None, **more: Any) -> None:
        self._document: dict[str, Any] = {"name": name, "priority": priority, "package": package, **more}
        self._phases: list[dict[str, Any]] = []

    def add_phase(self, **phase: Any) -> None:
        """Add a phase; its keys are those of a phase in YAML."""
        self._phases.append(phase)

    def add_rings(self, rings: Iterable[Phase]) -> None:
        """Add ready phases, such as :func:`campaign.rings.standard_rings`."""
        self._phases += [ring.model_dump(mode="json", by_alias=True, exclude_none=True) for ring in rings]

    def document(self) -> dict[str, Any]:
        """The definition as a JSON document, unchecked."""
        return {**self._document, "phases": list(self._phases)}
