"""Polls of vehicles that are known, answered without a task for each.

For most of them there is nothing. A vehicle that was idle when its standing was asked for still is while the
epoch is the same: one tiny question to the database, shared by all polls that arrive meanwhile. So an answer
out of memory is as fresh as if everything had been asked for. Where another vehicle stands is asked, as on
the usual way.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from starlette.responses import Response
from starlette.types import Scope

from gateway.answer import media_type
from gateway.batch import POLLS_WAITING
from gateway.fleet import Fleet
from gateway.headers import header
from gateway.known import Known
from gateway.links import GO_BY
from gateway.poll import Poll
from gateway.shapes import CONDITION, PROOF, VIN, Shapes
from gateway.short_way import Asked, ShortWay, Step
from store.polls import Standing


class Manner(NamedTuple):
    """What the polls of one shape have in common: the format they are answered in, and what links go by."""

    kind: str
    scope: Scope


def shapes_of_polls(vehicles: str) -> Shapes[Manner]:
    """The shapes of polls. Whoever cannot read an answer keeps to the usual way."""
    return Shapes(b"GET", re.escape(vehicles.encode()) + VIN, (PROOF, CONDITION), _manner)


def _manner(scope: Scope) -> Manner:
    """Raises NotAcceptable."""
    headers = [(name, value) for name, value in scope["headers"] if name in GO_BY]
    return Manner(
        media_type(header(scope, b"accept")),
        {"type": "http", "scheme": scope["scheme"], "headers": headers},
    )


class KnownPolls(ShortWay[Manner]):
    """The short way of polls.

    Args:
        poll: the usual way.
    """

    def __init__(
        self, vehicles: str, known: Known, fleet: Fleet, take: Callable[[int], None], poll: Poll
    ) -> None:
        super().__init__(vehicles, shapes_of_polls(vehicles), known, fleet, take)
        self._poll = poll

    def _begin(self, asked: Asked[Manner]) -> Step | None:
        if self._known.idle(asked.proof):
            return Step(partial(self._fleet.epoch, POLLS_WAITING), partial(self._idle, asked))
        if asked.proof in self._known:
            return Step(partial(self._fleet.standing, asked.vin, POLLS_WAITING), partial(self._stands, asked))
        return None

    def _idle(self, asked: Asked[Manner], epoch: int) -> Response | None:
        standing = self._known.standing(asked.proof, asked.vin, epoch)
        if standing is None:
            return None
        self._take(standing.vehicle_id)
        return self._answer(asked, standing, None)

    def _stands(self, asked: Asked[Manner], standing: Standing | None) -> Response | Step | None:
        if standing is None or self._known.vehicle_id(asked.proof, standing.epoch) != standing.vehicle_id:
            return None  # the proof was good in another epoch
        self._known.learn(asked.proof, standing)
        self._take(standing.vehicle_id)  # where a fault of ours follows, the usual way counts it once more
        if standing.admissible:
            admit = partial(self._fleet.admit, standing.vehicle_id)
            return Step(admit, partial(self._answer, asked, standing))
        return self._answer(asked, standing, None)

    def _answer(self, asked: Asked[Manner], standing: Standing, offered: int | None) -> Response:
        kind, scope = asked.sent.kept
        answer = self._poll.answer({**scope, "client": asked.peer}, kind, standing, offered)
        return answer.unless_known(asked.sent.optional(CONDITION.group))
