"""How long a vehicle is asked to wait before it polls again: by what it waits for, and by how busy we are.

Rules: who has an action or waits for one in a campaign that delivers comes soon, everybody else seldom; each
level of pressure doubles the wait, up to an hour; the level rises at once and falls slowly, one level at a
time, so that the answer to an unchanged question stays the same. The opening of an install window and the
spread over vehicles are the wire's business (gateway/messages.py).
"""

from dataclasses import dataclass, replace
from datetime import timedelta

#: However busy we are, who is asked to stay away for longer would miss too much.
LONGEST = timedelta(hours=1)

HIGHEST_LEVEL = 3

#: So full a queue raises the level, so empty a one lowers it.
RISES_AT, FALLS_AT = 0.25, 0.05

#: Between two steps. Up: what was told last must have had time to work. Down: a lull is no end.
RISE_PAUSE, FALL_PAUSE = timedelta(seconds=5), timedelta(minutes=1)


def interval(*, waits: bool, soon: timedelta, seldom: timedelta, level: int) -> timedelta:
    """The wait before the next poll.

    Args:
        waits: whether there is or may soon be something for the vehicle.
        soon: the wait of one for which there is.
        seldom: the wait of all others.
        level: the pressure, 0 to `HIGHEST_LEVEL`.
    """
    usual = soon if waits else seldom
    return min(usual * (1 << level), max(LONGEST, usual))


@dataclass(frozen=True, slots=True)
class Pressure:
    """How busy a gateway is: its level, when it changed, and since when it is calm enough to fall."""

    level: int = 0
    changed: timedelta = timedelta(0)
    calm_since: timedelta | None = None

    def after(self, fill: float, now: timedelta) -> "Pressure":
        """The pressure after another look.

        Args:
            fill: how full the queue is, 0 to 1.
            now: by any steady clock.
        """
        if fill >= RISES_AT:
            if self.level < HIGHEST_LEVEL and (self.level == 0 or now - self.changed >= RISE_PAUSE):
                return Pressure(level=self.level + 1, changed=now)
            return self._restless()
        if self.level == 0 or fill > FALLS_AT:
            return self._restless()
        if self.calm_since is None:
            return replace(self, calm_since=now)
        if now - self.calm_since >= FALL_PAUSE:
            return Pressure(level=self.level - 1, changed=now, calm_since=now)
        return self

    def _restless(self) -> "Pressure":
        return self if self.calm_since is None else replace(self, calm_since=None)
