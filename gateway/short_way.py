"""Requests answered without a task for each: what the kinds of them have in common.

The connection hands them over before it begins with a request (gateway/connection.py). What is out of the
ordinary goes the usual way.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from starlette.responses import Response

from gateway.errors import Refusal, Unavailable, refusal_answer
from gateway.fleet import Fleet
from gateway.known import Known
from gateway.resource import sent_away

Result = TypeVar("Result")
#: What is done with the answer; None: the request goes the usual way.
Done = Callable[[Response | None], None]


class ShortWay:
    """The short way of vehicles that are known by proof.

    Args:
        vehicles: the path of all vehicles, up to the VIN.
        take: counts one request of a vehicle. Raises TooOften.
    """

    def __init__(self, vehicles: str, known: Known, fleet: Fleet, take: Callable[[int], None]) -> None:
        self._vehicles = vehicles
        self._known = known
        self._fleet = fleet
        self._take = take

    def _later(
        self,
        vin: str,
        ask: Callable[[], asyncio.Future[Result]],
        answer: Callable[[Result], Response | None],
        done: Done,
    ) -> None:
        """Ask, and answer by the result; `done` is called later, and once."""
        try:
            asked = ask()
        except Unavailable as away:
            asyncio.get_running_loop().call_soon(done, sent_away(away, vin, self._fleet.pressure))
        else:
            asked.add_done_callback(partial(self._end, vin, answer, done))

    def _end(
        self,
        vin: str,
        answer: Callable[[Result], Response | None],
        done: Done,
        asked: asyncio.Future[Result],
    ) -> None:
        try:
            given = answer(asked.result())
        except Unavailable as away:
            given = sent_away(away, vin, self._fleet.pressure)
        except Refusal as refusal:
            given = refusal_answer(refusal)
        except (Exception, asyncio.CancelledError):
            given = None  # nothing was acknowledged; the usual way finds the same, says it and logs it
        done(given)
