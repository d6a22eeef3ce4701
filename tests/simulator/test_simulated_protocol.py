"""Reading DDI's JSON with care."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import Malformed
from simulator.protocol import read_deployment, read_poll, read_stop_id

ARTIFACT = {
    "filename": "a.bin",
    "size": 3,
    "hashes": {"sha256": "00"},
    "_links": {"download": {"href": "https://h/a"}, "download-http": {"href": "http://h/a"}},
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def deployment(**changes: Any) -> dict[str, Any]:
    chunk = {"part": "os", "name": "Radar", "version": "1.4.0", "artifacts": [ARTIFACT]}
    return {"id": "1", "deployment": {"download": "forced", "update": "forced", "chunks": [chunk], **changes}}


@pytest.mark.parametrize(
    ("sleep", "seconds"),
    [
        ("00:00:05", 5),
        ("01:01:01", 3661),
        ("23:59:59", 86_399),
        ("00:00:00", 30),
        ("", 30),
        ("soon", 30),
        ("PT36H", 30),
        ("-1:00:00", 30),
        (None, 30),
        (5, 30),
    ],
)
def test_the_interval_is_the_servers_and_never_a_flood(sleep: object, seconds: float) -> None:
    assert read_poll({"config": {"polling": {"sleep": sleep}}}).sleep_seconds == seconds


def test_a_poll_without_interval_and_links_is_understood() -> None:
    poll = read_poll({})
    assert (poll.sleep_seconds, poll.config_data, poll.deployment, poll.cancel) == (30, None, None, None)


def test_chunks_name_the_ecu_and_its_new_version() -> None:
    read = read_deployment(deployment())
    assert read.update == {"Radar": "1.4.0"}
    assert not read.held


def test_the_plain_http_link_is_preferred_and_the_other_one_will_do() -> None:
    assert str(read_deployment(deployment()).artifacts[0].url) == "http://h/a"
    only_https = {**ARTIFACT, "_links": {"download": {"href": "https://h/a"}}}
    chunk = {"name": "Radar", "version": "1", "artifacts": [only_https]}
    assert str(read_deployment(deployment(chunks=[chunk])).artifacts[0].url) == "https://h/a"


@pytest.mark.parametrize("handling", [{"update": "skip"}, {"download": "skip"}])
def test_skip_means_not_yet(handling: dict[str, str]) -> None:
    assert read_deployment(deployment(**handling)).held


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"_links": {"deploymentBase": {}}},
        {"_links": {"deploymentBase": {"href": "relative/1"}}},
        {"_links": {"deploymentBase": {"href": 7}}},
    ],
)
def test_a_poll_answer_that_is_not_ddi_is_malformed(body: object) -> None:
    with pytest.raises(Malformed, match="malformed poll"):
        read_poll(body)


@given(json_values)
def test_no_answer_whatever_breaks_a_reader_otherwise(body: object) -> None:
    for read in (read_poll, read_deployment, read_stop_id):
        with suppress(Malformed):
            read(body)
