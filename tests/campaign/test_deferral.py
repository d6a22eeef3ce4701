"""Why a vehicle put an update off: its own words, a reason, a value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign.deferral import LONGEST_VALUE, DeferralReason, read_deferral

SAID = [
    (("low battery: 11.8 V",), "low_battery", "11.8 V"),
    (("deferred: battery_12v 11.4 V",), "low_battery", "11.4 V"),
    (("Battery at 34 %, 50 % needed",), "low_battery", "34 %"),
    (("LOW_BATTERY",), "low_battery", None),
    (("battery_voltage=11,9V",), "low_battery", "11,9V"),
    (("soc: 17",), "low_battery", "17"),
    (("charging: 3.6 kV",), "charging", "3.6 kV"),
    (("vehicle is not parked",), "not_parked", None),
    (("moving at 12 km/h",), "not_parked", "12 km/h"),
    (("parking brake released",), "not_parked", None),
    (("ignition on",), "ignition_on", None),
    (("ECU temperature -21 °C",), "temperature", "-21 °C"),
    (("too hot: 71C",), "temperature", "71C"),
    (("not enough storage: 120 MB",), "storage", "120 MB"),
    (("no network, signal -113 dBm",), "network", "-113 dBm"),
    (("postponed by the driver",), "owner", None),
    (("update begins", "low battery: 11.8 V"), "low_battery", "11.8 V"),
    (("low battery: 11.8 V", "not parked"), "low_battery", "11.8 V"),
    # what is not understood is not guessed
    (("error 4711",), "other", None),
    (("waiting: 3",), "other", "3"),
    (("artillery",), "other", None),
    (("unmoving",), "other", None),
    ((), "other", None),
    (("",), "other", None),
]


@pytest.mark.parametrize(("details", "reason", "value"), SAID)
def test_a_deferral_is_read_from_the_vehicles_words(
    details: tuple[str, ...], reason: str, value: str | None
) -> None:
    found = read_deferral(details)
    assert (found.reason.value, found.value) == (reason, value)


@given(st.lists(st.text(max_size=200), max_size=5))
def test_whatever_a_vehicle_says_there_is_a_reason_and_a_short_value(details: list[str]) -> None:
    found = read_deferral(details)
    assert found.reason in DeferralReason
    assert found.value is None or 0 < len(found.value) <= LONGEST_VALUE
