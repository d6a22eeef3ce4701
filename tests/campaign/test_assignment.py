"""A target's way: the full product of states and events, what reports mean, and how targets are counted."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign.assignment import (
    ATTEMPTS,
    DOWNLOAD_FAILED_PREFIXES,
    FAILURES,
    HARMED,
    IN_FLIGHT,
    OPEN,
    SKIPPED,
    STARTED,
    TERMINAL,
    TRANSITIONS,
    Happening,
    Said,
    Tally,
    Target,
    after,
    meaning,
)

#: Rows: the state; columns: the events of the head. A dot: nothing changes.
TABLE = """
state           admit   withdraw fetch       progress    install    defer    succeed   fail   roll_back   harm     fail_download   cancel    fall_silent stall   expire  note outdate        exclude  contradict
pending         offered .        .           .           .          .        succeeded failed rolled_back critical download_failed .         .           .       expired .    not_applicable excluded  .
deferred        offered .        .           .           .          .        succeeded failed rolled_back critical download_failed .         .           .       expired .    not_applicable excluded  .
stalled         offered .        .           .           .          .        succeeded failed rolled_back critical download_failed .         .           .       expired .    not_applicable excluded  .
offered         .       pending  downloading downloading .          deferred .         failed rolled_back critical download_failed cancelled .           .       expired .    .              excluded  .
downloading     .       .        .           .           installing deferred succeeded failed rolled_back critical download_failed cancelled .           stalled expired .    .              excluded  .
installing      .       .        .           .           .          deferred succeeded failed rolled_back critical failed          cancelled silent      .       .       .    .              excluded  .
succeeded       .       .        .           .           .          .        .         .      .           .        .               .         .           .       .       .    .              .  deferred
failed          .       .        .           .           .          .        .         .      .           .        .               .         .           .       .       .    .              .  .
rolled_back     .       .        .           .           .          .        .         .      .           .        .               .         .           .       .       .    .              .  .
critical        .       .        .           .           .          .        .         .      .           .        .               .         .           .       .       .    .              .  .
download_failed .       .        .           .           .          .        .         .      .           .        .               .         .           .       .       .    .              .  .
silent          .       .        .           .           .          .        succeeded failed rolled_back critical failed          .         .           .       .       .    .              .  .
not_applicable  .       .        .           .           .          .        .         .      .           .        .               .         .           .       .       .    .              .  .
cancelled       .       .        .           .           .          .        .         .      .           .        .               .         .           .       .       .    .              .  .
expired         .       .        .           .           .          .        succeeded failed rolled_back critical download_failed .         .           .       .       .    .              .  .
excluded        .       .        .           .           .          .        .         .      .           .        .               .         .           .       .       .    .              .  .
"""  # noqa: E501
_HEAD, *_ROWS = map(str.split, TABLE.strip().splitlines())
WANTED = {
    (Target(row[0]), Happening(event)): Target(row[0] if end == "." else end)
    for row in _ROWS
    for event, end in zip(_HEAD[1:], row[1:], strict=True)
}


def test_the_table_of_this_test_is_the_full_product() -> None:
    assert WANTED.keys() == set(product(Target, Happening))


@pytest.mark.parametrize(("state", "event"), list(product(Target, Happening)), ids=str)
def test_each_event_leads_where_the_table_says(state: Target, event: Happening) -> None:
    assert after(state, event) is WANTED[state, event]


def test_no_way_is_written_down_that_leads_nowhere() -> None:
    assert all(state is not end for (state, _), end in TRANSITIONS.items())


OUTCOMES = {
    Happening.SUCCEED, Happening.FAIL, Happening.ROLL_BACK, Happening.HARM, Happening.FAIL_DOWNLOAD,
}  # fmt: skip


@pytest.mark.parametrize(("state", "event"), list(product(sorted(TERMINAL), Happening)), ids=str)
def test_a_terminal_state_moves_only_where_a_late_truth_corrects_what_time_concluded_or_was_claimed(
    state: Target, event: Happening
) -> None:
    corrects = state in (Target.SILENT, Target.EXPIRED) and event in OUTCOMES
    contradicts = (state, event) == (Target.SUCCEEDED, Happening.CONTRADICT)
    assert (after(state, event) is not state) is (corrects or contradicts)
    assert (after(state, event) in TERMINAL) is not contradicts


def test_the_sets_of_states_fit_together() -> None:
    assert set(Target) == OPEN | IN_FLIGHT | TERMINAL
    assert len(OPEN) + len(IN_FLIGHT) + len(TERMINAL) == len(Target)
    assert {Target.OFFERED} == IN_FLIGHT - STARTED
    assert {Target.FAILED, Target.ROLLED_BACK, Target.SILENT, Target.CRITICAL} == HARMED
    assert HARMED | {Target.DOWNLOAD_FAILED} == FAILURES
    assert FAILURES | {Target.SUCCEEDED} == ATTEMPTS
    assert ATTEMPTS | {
        Target.NOT_APPLICABLE, Target.CANCELLED, Target.EXPIRED, Target.EXCLUDED,
    } == TERMINAL  # fmt: skip


def test_a_success_is_reached_only_by_a_report_of_success() -> None:
    ways = {event for (_, event), end in TRANSITIONS.items() if end is Target.SUCCEEDED}
    assert ways == {Happening.SUCCEED}


@pytest.mark.parametrize("state", [Target.INSTALLING, Target.SILENT])
def test_a_failed_download_reported_by_who_was_installing_is_a_failed_installation(state: Target) -> None:
    assert after(state, Happening.FAIL_DOWNLOAD) is Target.FAILED
    ways = {begun for (begun, _), end in TRANSITIONS.items() if end is Target.DOWNLOAD_FAILED}
    assert not ways & {Target.INSTALLING, Target.SILENT}


@pytest.mark.parametrize("state", sorted(OPEN | IN_FLIGHT))
def test_whoever_is_not_over_can_be_excluded_and_is_then_heard_no_more(state: Target) -> None:
    assert after(state, Happening.EXCLUDE) is Target.EXCLUDED
    assert {after(Target.EXCLUDED, event) for event in Happening} == {Target.EXCLUDED}


def said(execution: str, finished: str = "none", *details: str) -> Said:
    return Said(execution=execution, finished=finished, details=details)


#: The report, and what it means before and after the vehicle was seen to fetch an artifact.
MEANINGS: list[tuple[Said, Happening, Happening]] = [
    # SWUpdate: a good update.
    (
        said("proceeding", "none", "Installing Update Chunk Artifacts."),
        Happening.PROGRESS,
        Happening.INSTALL,
    ),
    (said("proceeding", "none", "All Chunks Installed."), Happening.PROGRESS, Happening.INSTALL),
    (said("closed", "success", "Update Installed."), Happening.DEFER, Happening.SUCCEED),
    # SWUpdate: told to skip, it closes with success; so does a restart with -c 2 on an action never fetched.
    (said("closed", "success", SKIPPED), Happening.DEFER, Happening.DEFER),
    (said("closed", "success", "a log line", SKIPPED), Happening.DEFER, Happening.DEFER),
    (said("closed", "success", " skipped update"), Happening.DEFER, Happening.DEFER),
    (said("closed", "success", "Skipped update of the map, it is new"), Happening.DEFER, Happening.SUCCEED),
    # SWUpdate: a failure needs no proof.
    (said("closed", "failure", "Update Failed."), Happening.FAIL, Happening.FAIL),
    (said("closed", "failure", "No suitable .swu image found", SKIPPED), Happening.FAIL, Happening.FAIL),
    # rauc-hawkbit-updater.
    (said("proceeding", "none", "Download complete. 1.55 MB/s"), Happening.PROGRESS, Happening.INSTALL),
    (
        said("closed", "success", "Software bundle installed successfully."),
        Happening.DEFER,
        Happening.SUCCEED,
    ),
    (said("downloaded", "success"), Happening.PROGRESS, Happening.PROGRESS),
    (said("closed", "failure", "Invalid checksum: abc"), Happening.FAIL, Happening.FAIL),
    # rauc-hawkbit (PyPI): an error in the middle does not close.
    (said("proceeding", "failure", "install error"), Happening.PROGRESS, Happening.INSTALL),
    # hawkBit closes with `none` as with success.
    (said("closed", "none"), Happening.DEFER, Happening.SUCCEED),
    (said("rejected"), Happening.DEFER, Happening.DEFER),
    (said("rejected", "success"), Happening.DEFER, Happening.DEFER),
    (said("download"), Happening.PROGRESS, Happening.PROGRESS),
    (said("scheduled"), Happening.PROGRESS, Happening.PROGRESS),
    (said("resumed"), Happening.PROGRESS, Happening.INSTALL),
    (said("canceled"), Happening.NOTE, Happening.NOTE),
    (said("canceled", "success"), Happening.NOTE, Happening.NOTE),
    (said("a word of tomorrow", "success"), Happening.NOTE, Happening.NOTE),
    # Vehicles that roll back say so at the beginning of a message.
    (said("closed", "failure", "Rolled back to slot A"), Happening.ROLL_BACK, Happening.ROLL_BACK),
    (said("closed", "failure", "boot failed", "ROLLED BACK"), Happening.ROLL_BACK, Happening.ROLL_BACK),
    (said("closed", "failure", "not rolled back"), Happening.FAIL, Happening.FAIL),
    (said("closed", "success", "rolled back the log"), Happening.DEFER, Happening.SUCCEED),
    # So do those that cannot be driven or have lost a safety function.
    (said("closed", "failure", "Critical: no power steering"), Happening.HARM, Happening.HARM),
    (said("closed", "failure", "boot failed", " CRITICAL"), Happening.HARM, Happening.HARM),
    (said("closed", "failure", "not critical"), Happening.FAIL, Happening.FAIL),
    (said("closed", "success", "critical section left"), Happening.DEFER, Happening.SUCCEED),
    (said("proceeding", "none", "critical section left"), Happening.PROGRESS, Happening.INSTALL),
    # And those that gave up the download.
    (
        said("closed", "failure", "Download failed: timeout"),
        Happening.FAIL_DOWNLOAD,
        Happening.FAIL_DOWNLOAD,
    ),
    (
        said("closed", "failure", "x", "failed to download after 5 tries"),
        Happening.FAIL_DOWNLOAD,
        Happening.FAIL_DOWNLOAD,
    ),
    (said("closed", "failure", "the download failed"), Happening.FAIL, Happening.FAIL),
    # The gravest word wins, whatever was said first.
    (
        said("closed", "failure", "download failed", "rolled back", "critical"),
        Happening.HARM,
        Happening.HARM,
    ),
    (said("closed", "failure", "download failed", "rolled back"), Happening.ROLL_BACK, Happening.ROLL_BACK),
    # A failure without a word of its class is one of the installation.
    (said("closed", "failure"), Happening.FAIL, Happening.FAIL),
]


@pytest.mark.parametrize(("report", "unfetched", "fetched"), MEANINGS, ids=str)
def test_a_report_means_what_the_clients_are_seen_to_mean(
    report: Said, unfetched: Happening, fetched: Happening
) -> None:
    assert meaning(report, fetched=False) is unfetched
    assert meaning(report, fetched=True) is fetched


REPORTS = st.builds(
    Said,
    execution=st.sampled_from(["closed", "proceeding", "scheduled", "resumed", "download", "downloaded"])
    | st.text(max_size=10),
    finished=st.sampled_from(["success", "failure", "none"]) | st.text(max_size=10),
    details=st.lists(st.sampled_from([SKIPPED, "Update Installed.", ""]) | st.text(), max_size=3).map(tuple),
)


@given(st.sampled_from(Target), REPORTS)
def test_no_claim_is_a_success_before_an_artifact_was_fetched(state: Target, report: Said) -> None:
    assert meaning(report, fetched=False) is not Happening.SUCCEED
    assert after(state, meaning(report, fetched=False)) is not Target.SUCCEEDED or state is Target.SUCCEEDED


@given(REPORTS)
def test_only_a_closing_report_without_failure_is_a_success(report: Said) -> None:
    if meaning(report, fetched=True) is Happening.SUCCEED:
        assert report.execution == "closed"
        assert report.finished != "failure"
        assert SKIPPED not in report.details


FAILING_WORDS = st.sampled_from(["critical", "rolled back", *DOWNLOAD_FAILED_PREFIXES, "Update Failed.", ""])


@given(st.lists(FAILING_WORDS | st.text(), max_size=4), st.booleans())
def test_a_closing_failure_is_always_a_failure_of_some_class(details: list[str], fetched: bool) -> None:
    event = meaning(said("closed", "failure", *details), fetched=fetched)
    assert event in OUTCOMES - {Happening.SUCCEED}
    assert {after(state, event) for state in STARTED} <= FAILURES


TALLIES = st.dictionaries(st.sampled_from(Target), st.integers(0, 1_000)).map(lambda by: Tally(by_state=by))


@given(TALLIES, TALLIES)
def test_tallies_add_up_state_by_state(one: Tally, other: Tally) -> None:
    both = one + other
    assert both.size == one.size + other.size
    for states in (OPEN, IN_FLIGHT, TERMINAL, frozenset(Target)):
        assert both.of(states) == one.of(states) + other.of(states)


@given(TALLIES)
def test_a_tally_counts_as_attempts_only_those_with_an_outcome(tally: Tally) -> None:
    by = tally.by_state
    bad = sum(by.get(Target(state), 0) for state in ("failed", "rolled_back", "silent", "critical"))
    assert tally.of(HARMED) == bad
    assert tally.of(FAILURES) == bad + by.get(Target.DOWNLOAD_FAILED, 0)
    assert tally.of(ATTEMPTS) == tally.of(FAILURES) + by.get(Target.SUCCEEDED, 0)
    assert tally.of(frozenset(Target)) == tally.size


def test_an_outcome_is_taken_back_only_by_the_vehicles_own_configuration() -> None:
    """On that rests what a gateway remembers of outcomes; the trigger of the tally sees all the same."""
    left = {way for way, end in TRANSITIONS.items() if way[0] in ATTEMPTS and end not in ATTEMPTS}
    assert left == {(Target.SUCCEEDED, Happening.CONTRADICT)}
