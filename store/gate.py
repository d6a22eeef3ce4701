"""The delivery gate: a level with a fencing number, written by activities only.

An opening that comes late or twice carries a ``seq`` that is not above the stored one and changes nothing.
"""

from datetime import timedelta

from sqlalchemy import Connection

from campaign.assignment import Tally
from campaign.breach import Exposed
from campaign.lifecycle import State
from store import windows
from store.guarded import exposed
from store.tallies import tally
from store.words import ANY_IN_FLIGHT_SQL, LOCK_SQL, OPEN_SQL, WITHDRAWN_SQL

_OPEN_GATE = f"""
UPDATE campaign SET gate_open = true, gate_seq = %(seq)s, state = %(state)s,
       lease_until = clock_timestamp() + %(lease)s, shut_at = NULL,
       window_began_at = coalesce(window_began_at, clock_timestamp())
WHERE id = %(id)s AND gate_seq < %(seq)s AND finished_at IS NULL AND (breach IS NULL OR %(new_window)s)
  AND NOT EXISTS (SELECT FROM campaign AS c WHERE c.id = campaign.id AND EXISTS ({WITHDRAWN_SQL}))
"""

#: A pause stops every clock of the phases: the deadline moves on, and the rate counts from here.
_SHIFT_CLOCKS = f"""
UPDATE phase AS p
SET released_at = p.released_at + (clock_timestamp() - c.shut_at), pace_since = clock_timestamp(),
    pace_base = coalesce((SELECT sum(t.vehicles) FROM tally AS t WHERE t.campaign_id = p.campaign_id
                          AND t.phase = p.number AND t.state NOT IN ({OPEN_SQL})), 0)
FROM campaign AS c
WHERE c.id = p.campaign_id AND c.id = %(id)s AND c.gate_seq < %(seq)s
  AND c.shut_at IS NOT NULL AND p.released_at IS NOT NULL AND (c.breach IS NULL OR %(new_window)s)
  AND NOT EXISTS ({WITHDRAWN_SQL})
"""

_RESTART_DEADLINES = """
UPDATE phase SET released_at = clock_timestamp() WHERE campaign_id = %(id)s AND released_at IS NOT NULL
"""

#: Stopping asks for no fence: a late repetition shuts a gate that a person opens again; the other way round
#: it would open one that a person had shut.
_SHUT_GATE = """
UPDATE campaign SET gate_open = false, gate_seq = greatest(gate_seq, %(seq)s), state = %(state)s,
       shut_at = coalesce(shut_at, clock_timestamp())
WHERE id = %(id)s
"""

TAKE_BACK_SQL = f"""
UPDATE assignment AS a SET state = 'pending'
WHERE campaign_id = %(id)s AND state = 'offered' AND {ANY_IN_FLIGHT_SQL}
"""

ASK_TO_CANCEL_SQL = f"""
UPDATE assignment AS a SET cancel_wanted = true
WHERE campaign_id = %(id)s AND state = 'downloading' AND {ANY_IN_FLIGHT_SQL}
"""

_SET_STATE = (
    "UPDATE campaign SET state = %(state)s, gate_seq = %(seq)s WHERE id = %(id)s AND gate_seq < %(seq)s"
)

_EXPIRE = f"""
UPDATE assignment SET state = 'expired', finished_at = clock_timestamp()
WHERE campaign_id = %(id)s AND state IN ('offered', {OPEN_SQL})
"""

_FINISH = "UPDATE campaign SET finished_at = coalesce(finished_at, clock_timestamp()) WHERE id = %(id)s"


def _lock(connection: Connection, campaign_id: int) -> None:
    connection.exec_driver_sql(LOCK_SQL, ([campaign_id],))


def open_gate(
    connection: Connection,
    campaign_id: int,
    seq: int,
    state: State,
    lease: timedelta,
    *,
    new_window: bool,
    new_deadline: bool = False,
) -> None:
    """Let vehicles be admitted until the lease runs out; a gate that a breach has closed opens only to a new
    evidence window, so that a phase which begins just then does not open it.

    Args:
        new_window: whether a new evidence window begins.
        new_deadline: whether the phases released so far get their full time once more.
    """
    _lock(connection, campaign_id)
    key = {"id": campaign_id, "seq": seq, "state": state.value, "lease": lease, "new_window": new_window}
    connection.exec_driver_sql(_SHIFT_CLOCKS, key)
    opened = connection.exec_driver_sql(_OPEN_GATE, key).rowcount
    if opened and new_deadline:
        connection.exec_driver_sql(_RESTART_DEADLINES, key)
    if opened and new_window:
        windows.keep(connection, campaign_id)
        windows.begin(connection, campaign_id)


def shut_gate(
    connection: Connection, campaign_id: int, seq: int, state: State, *, cancel_started: bool = False
) -> Exposed:
    """Stop delivery and withdraw what has not started.

    Returns:
        The vehicles that were under way at this moment.
    """
    _lock(connection, campaign_id)
    key = {"id": campaign_id, "seq": seq, "state": state.value}
    before = sum(tally(connection, campaign_id).values(), Tally())
    connection.exec_driver_sql(_SHUT_GATE, key)
    connection.exec_driver_sql(TAKE_BACK_SQL, key)
    if cancel_started:
        connection.exec_driver_sql(ASK_TO_CANCEL_SQL, key)
    return exposed(before)


def set_state(connection: Connection, campaign_id: int, seq: int, state: State) -> None:
    """Show a state that neither opens nor shuts the gate."""
    connection.exec_driver_sql(_SET_STATE, {"id": campaign_id, "seq": seq, "state": state.value})


def finish(
    connection: Connection, campaign_id: int, seq: int, state: State, *, cancel_started: bool
) -> Tally:
    """Shut the gate for good and end what is open as expired.

    Returns:
        The final tally of the campaign.
    """
    shut_gate(connection, campaign_id, seq, state, cancel_started=cancel_started)
    connection.exec_driver_sql(_EXPIRE, {"id": campaign_id})
    connection.exec_driver_sql(_FINISH, {"id": campaign_id})
    return sum(tally(connection, campaign_id).values(), Tally())
