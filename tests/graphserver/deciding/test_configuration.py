"""What the environment may set, and that nonsense in it is named and has no effect."""

import pytest

from ezmsg.graphserver.deciding.configuration import ROUTE_TIMEOUT_LIMIT_S, Configuration, first_port


def test_the_defaults() -> None:
    assert Configuration.from_environment({}) == Configuration(10_000, 1.0, 10_000)
    assert first_port({}) == 10_000


def test_the_variables() -> None:
    environ = {"EZMSG_TOPOLOGY_EVENT_HISTORY_LIMIT": "3", "EZMSG_SUBSCRIBER_UPDATE_TIMEOUT_SEC": "0.25"}
    environ["EZMSG_SETTINGS_EVENT_HISTORY_LIMIT"] = "4"
    assert Configuration.from_environment(environ) == Configuration(3, 0.25, 4)
    assert first_port({"EZMSG_SERVER_PORT_START": "12000"}) == 12_000


@pytest.mark.parametrize("value", ["zero", "0", "-1", "nan", "inf"])
def test_nonsense_is_named_in_the_log(value: str, caplog: pytest.LogCaptureFixture) -> None:
    environ = {"EZMSG_TOPOLOGY_EVENT_HISTORY_LIMIT": value}
    assert Configuration.from_environment(environ) == Configuration()
    assert "EZMSG_TOPOLOGY_EVENT_HISTORY_LIMIT" in caplog.text


def test_nobody_waits_longer_for_routes_than_callers_wait_for_an_answer():
    environ = {"EZMSG_SUBSCRIBER_UPDATE_TIMEOUT_SEC": "60"}
    assert Configuration.from_environment(environ).route_timeout_s == ROUTE_TIMEOUT_LIMIT_S
