"""The campaign's states: the full product of states and events against a table written by hand."""

from itertools import product

import pytest

from campaign.lifecycle import Event, Impossible, State, after, diagram, possible, why_not

#: Rows: the event; columns: Draft, SelectingVehicles, Queued, RollingOut, Baking, Paused, Completed, Aborted.
TABLE = """
approve    SelectingVehicles -       -          -          -          -          -  -
selected   -                 Queued  -          -          -          -          -  -
refused    -                 Aborted -          -          -          -          -  -
started    -                 -       RollingOut -          -          -          -  -
processed  -                 -       -          Baking     -          -          -  -
promote    -                 -       -          -          RollingOut -          -  -
finished   -                 -       -          -          Completed  -          -  -
breach     -                 -       -          Paused     Paused     -          -  -
pause      -                 -       -          Paused     Paused     -          -  -
resume     -                 -       -          -          -          RollingOut -  -
abort      Aborted           Aborted Aborted    Aborted    Aborted    Aborted    -  -
"""
WANTED = {
    (state, Event(event)): None if end == "-" else State(end)
    for event, *ends in map(str.split, TABLE.strip().splitlines())
    for state, end in zip(State, ends, strict=True)
}


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)), ids=str)
def test_each_event_leads_where_the_table_says_or_is_impossible(state: State, event: Event) -> None:
    wanted = WANTED[state, event]
    assert possible(state, event) is (wanted is not None)
    if wanted is None:
        with pytest.raises(Impossible, match=f"^{event} ignored: the campaign is "):
            after(state, event)
    else:
        assert after(state, event) is wanted


@pytest.mark.parametrize("event", list(Event), ids=str)
@pytest.mark.parametrize("state", [State.COMPLETED, State.ABORTED], ids=str)
def test_a_final_state_has_no_way_out_and_says_so(state: State, event: Event) -> None:
    assert state.final
    assert why_not(state, event) == f"{event} ignored: the campaign is {state.value}, which is final"


def test_only_completed_and_aborted_are_final() -> None:
    assert {state for state in State if state.final} == {State.COMPLETED, State.ABORTED}


def test_every_state_can_be_reached_from_draft() -> None:
    reached = {State.DRAFT}
    while new := {after(s, e) for s, e in product(reached, Event) if possible(s, e)} - reached:
        reached |= new
    assert reached == set(State)


@pytest.mark.parametrize("state", [state for state in State if not state.final], ids=str)
def test_an_operator_may_abort_from_every_state_that_is_not_final(state: State) -> None:
    assert after(state, Event.ABORT) is State.ABORTED


def test_only_a_person_ends_a_pause() -> None:
    assert {event for event in Event if possible(State.PAUSED, event)} == {Event.RESUME, Event.ABORT}


@pytest.mark.parametrize(
    ("state", "stage", "text"),
    [
        (State.DRAFT, "Draft", "Draft"),
        (State.SELECTING, "Scheduling", "Scheduling/SelectingVehicles"),
        (State.QUEUED, "Scheduling", "Scheduling/Queued"),
        (State.ROLLING_OUT, "Active", "Active/RollingOut"),
        (State.BAKING, "Active", "Active/Baking"),
        (State.PAUSED, "Paused", "Paused"),
        (State.COMPLETED, "Completed", "Completed"),
        (State.ABORTED, "Aborted", "Aborted"),
    ],
)
def test_each_state_belongs_to_a_stage_operators_speak_of(state: State, stage: str, text: str) -> None:
    assert (state.stage, str(state)) == (stage, text)


def test_a_signal_without_sense_is_told_where_it_makes_sense() -> None:
    assert why_not(State.DRAFT, Event.PAUSE) == (
        "pause ignored: the campaign is Draft; pause makes sense in Active"
    )
    assert why_not(State.PAUSED, Event.APPROVE) == (
        "approve ignored: the campaign is Paused; approve makes sense in Draft"
    )


def test_the_diagram_draws_every_state_and_every_way() -> None:
    lines = [line.strip() for line in diagram().splitlines()]
    ways = {f"{s.value} --> {end.value}: {e}" for (s, e), end in WANTED.items() if end is not None}
    edges = {"[*] --> Draft", "Completed --> [*]", "Aborted --> [*]"}
    assert lines[0] == "stateDiagram-v2"
    assert {line for line in lines if "-->" in line} == ways | edges
    assert len([line for line in lines if "-->" in line]) == len(ways | edges)
    drawn = " ".join(lines)
    assert all(state.value in drawn for state in State)
    assert "state Scheduling { SelectingVehicles Queued }" in drawn
    assert "state Active { RollingOut Baking }" in drawn
