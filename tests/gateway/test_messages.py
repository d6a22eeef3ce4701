"""The documents of the protocol, and the poll interval."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign.assignment import Target
from campaign.definition import Interaction
from campaign.package import Package
from gateway import messages
from store.offers import Deployment, StoredArtifact

HOME = "http://ota.example/DEFAULT/controller/v1/VIN1"


@given(st.text(), st.timedeltas(min_value=timedelta(milliseconds=1), max_value=timedelta(days=40)))
def test_the_interval_is_a_time_of_day_and_never_zero(vin: str, interval: timedelta) -> None:
    text = messages.sleep(vin, interval)
    hours, minutes, seconds = (int(part) for part in text.split(":"))
    assert [len(part) for part in text.split(":")] == [2, 2, 2]
    assert hours < 24
    assert minutes < 60
    assert seconds < 60
    assert hours + minutes + seconds > 0
    assert messages.sleep(vin, interval) == text


def test_the_intervals_of_a_fleet_spread_around_the_configured_one() -> None:
    texts = {messages.sleep(f"VIN{number}", timedelta(minutes=5)) for number in range(1_000)}
    assert min(texts) == "00:04:30"
    assert max(texts) == "00:05:30"
    assert len(texts) > 50


def seconds(text: str) -> int:
    return sum(int(part) * unit for part, unit in zip(text.split(":"), (3600, 60, 1), strict=True))


DAY_SECONDS = timedelta(hours=23, minutes=59, seconds=59).total_seconds()


@given(
    st.text(),
    st.integers(1, int(DAY_SECONDS)),
    st.timedeltas(timedelta(milliseconds=1), timedelta(days=8)),
)
def test_a_vehicle_comes_back_soon_after_the_opening_and_never_later_than_usual(
    vin: str, interval_seconds: int, opens_in: timedelta
) -> None:
    interval = timedelta(seconds=interval_seconds)
    usual, near = seconds(messages.sleep(vin, interval)), seconds(messages.sleep(vin, interval, opens_in))
    wait, spread = opens_in.total_seconds(), min(interval, messages.OPENING_SPREAD).total_seconds()
    assert near <= usual
    assert near == usual or wait <= near <= wait + spread + 1


def test_a_fleet_that_waits_for_one_opening_spreads_over_the_minutes_after_it() -> None:
    for wait in (timedelta(seconds=10), timedelta(hours=3)):
        slept = [seconds(messages.sleep(f"VIN{n}", timedelta(hours=12), wait)) for n in range(1_000)]
        late = [each - wait.total_seconds() for each in slept]
        minutes = [sum(start <= each < start + 60 for each in late) for start in range(0, 300, 60)]
        assert sum(minutes) >= 990
        assert all(150 < each < 250 for each in minutes)


def test_a_short_window_is_slept_through_by_nobody() -> None:
    for hours in (1, 6, 23):
        slept = {
            seconds(messages.sleep(f"VIN{n}", timedelta(hours=hours), timedelta(minutes=30)))
            for n in range(1_000)
        }
        assert max(slept) <= 35 * 60


def test_nothing_to_do_has_no_links() -> None:
    assert messages.poll(HOME, "00:01:00") == {"config": {"polling": {"sleep": "00:01:00"}}}


def test_the_deployment_link_has_a_query_and_the_cancel_link_has_none() -> None:
    offered = messages.poll(HOME, "00:01:00", deployment=130, config_wanted=True)["_links"]
    mark = messages.change_mark(130)
    assert offered == {
        "deploymentBase": {"href": f"{HOME}/deploymentBase/130?c={mark}"},
        "configData": {"href": f"{HOME}/configData"},
    }
    stopped = messages.poll(HOME, "00:01:00", cancel=130)["_links"]
    assert stopped == {"cancelAction": {"href": f"{HOME}/cancelAction/130"}}


def test_of_several_links_clients_are_shown_one() -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"confirm": 2, "deployment": 130, "cancel": 130}, "cancelAction"),
        ({"confirm": 2, "deployment": 130}, "deploymentBase"),
        ({"confirm": 2}, "confirmationBase"),
    ]
    for links, shown in cases:
        assert list(messages.poll(HOME, "00:01:00", **links)["_links"]) == [shown]


def test_the_mark_differs_between_actions() -> None:
    assert len({messages.change_mark(action) for action in range(1_000)}) == 1_000


@pytest.mark.parametrize("action", [10, 100, 130, 2**31 - 1])
def test_ids_are_decimal_texts(action: int) -> None:
    assert messages.cancel(action) == {"id": str(action), "cancelAction": {"stopId": str(action)}}


@pytest.mark.parametrize(
    ("interaction", "handling"),
    [
        (Interaction.SILENT, "forced"),
        (Interaction.FORCED, "forced"),
        (Interaction.BANNER, "attempt"),
        (Interaction.CONFIRM, "attempt"),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_deployment_has_a_chunk_with_one_file_for_every_module(
    interaction: Interaction, handling: str, scheme: str
) -> None:
    sha256 = "ab" * 32
    file = {"filename": "radar.swu", "size_bytes": 5, "sha256": sha256}
    module = {"ecu": "Radar", "hw_ids": ["R1"], "version": "1.4.0", "artifact": file}
    package = Package.model_validate({"name": "p", "modules": [module, module | {"ecu": "Camera"}]})
    stored = StoredArtifact(id=7, sha256=sha256, sha1="cd", md5="ef", size_bytes=5)
    home = HOME.replace("http", scheme)
    document = messages.deployment(
        home, Deployment(130, Target.OFFERED, interaction, package, {sha256: stored})
    )
    href = f"{home}/softwaremodules/7/artifacts/radar.swu"
    links = {"download-http": {"href": href}, "md5sum-http": {"href": f"{href}.MD5SUM"}}
    if scheme == "https":
        links |= {"download": {"href": href}, "md5sum": {"href": f"{href}.MD5SUM"}}
    artifact = {
        "filename": "radar.swu",
        "hashes": {"sha1": "cd", "md5": "ef", "sha256": sha256},
        "size": 5,
        "_links": links,
    }
    chunk = {"part": "firmware", "version": "1.4.0", "name": "Radar", "artifacts": [artifact]}
    assert document == {
        "id": "130",
        "deployment": {
            "download": handling,
            "update": handling,
            "chunks": [chunk, chunk | {"name": "Camera"}],
        },
    }
