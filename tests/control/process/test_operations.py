"""Operations of processes are strings: a handler written for ezmsg 3 compares them with one."""

from ezmsg.protocol.model.process_control import ProcessControlOperation, ProcessControlRequest
from ezmsg.protocol.wire.codec import decode, encode


def test_an_operation_equals_its_string() -> None:
    assert ProcessControlOperation.PING == "PING"
    assert "UPDATE_SETTING_FIELD" in {ProcessControlOperation.UPDATE_SETTING_FIELD: 1}
    assert f"{ProcessControlOperation.PING} {ProcessControlOperation.PING.value}" == "PING PING"


def test_it_comes_across_as_a_member_and_any_other_as_text() -> None:
    for operation, kind in ((ProcessControlOperation.PING, ProcessControlOperation), ("OWN", str)):
        request = decode(encode(ProcessControlRequest("r", "UNIT", operation)), ProcessControlRequest)
        assert type(request.operation) is kind
        assert request.operation == str(operation)
