"""The journal is append-only, and a repeated write is harmless."""

from datetime import UTC, datetime

from campaign.journal import Line
from store import journal
from tests.store.fleet import Fleet, cars

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def line(key: str, text: str = "because") -> Line:
    return Line(key=key, at=NOW, actor="alice", event="pause", text=text)


def write(fleet: Fleet, campaign: int, *lines: Line) -> None:
    with fleet.engine.begin() as connection:
        journal.write(connection, campaign, lines)


def read(fleet: Fleet, campaign: int) -> list[Line]:
    with fleet.engine.connect() as connection:
        return journal.read(connection, campaign)


def test_lines_are_read_as_they_were_written_oldest_first(fleet: Fleet) -> None:
    fleet.add(cars(2))
    campaign = fleet.launch()
    lines = [line("2", "späte Zeile"), line("1")]
    write(fleet, campaign, *lines)
    write(fleet, campaign)
    assert read(fleet, campaign) == lines


def test_the_same_key_twice_is_one_line_and_the_first_one_stays(fleet: Fleet) -> None:
    fleet.add(cars(2))
    campaign = fleet.launch()
    write(fleet, campaign, line("1", "first"))
    write(fleet, campaign, line("1", "second"), line("2", "other"), line("2", "again"))
    assert read(fleet, campaign) == [line("1", "first"), line("2", "other")]


def test_keys_are_unique_in_their_campaign_only(fleet: Fleet) -> None:
    fleet.add(cars(2))
    one, other = fleet.launch(name="one"), fleet.launch(name="other")
    write(fleet, one, line("1", "a"))
    write(fleet, other, line("1", "b"))
    assert (read(fleet, one), read(fleet, other)) == ([line("1", "a")], [line("1", "b")])


def test_a_reason_no_database_can_hold_is_written_all_the_same(fleet: Fleet) -> None:
    """A line travels with the write that shuts the gate: a broken text must not hold that back."""
    fleet.add(cars(2))
    campaign = fleet.launch()
    write(fleet, campaign, line("1", "a\0b \ud800"))
    assert [each.text for each in read(fleet, campaign)] == ["a?b ?"]
