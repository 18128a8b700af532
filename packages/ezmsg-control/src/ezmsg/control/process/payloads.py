"""Payloads of routed requests: objects as bytes, in the control plane's codec. Nothing here ever unpickles."""

from typing import Any, TypeVar

from ezmsg.control.errors import ProcessRequestFailed, UnexpectedPayload
from ezmsg.protocol.errors import WireError
from ezmsg.protocol.model.process_control import ProcessControlErrorCode, ProcessControlResponse
from ezmsg.protocol.wire.codec import decode, encode

T = TypeVar("T")

_PLAIN = (bool, int, float, str, bytes, list, dict, tuple, set, frozenset, type(None))


def encode_payload(value: object) -> bytes:
    """Return the bytes of a plain value, a dataclass or a class of attrs; of anything else, those of its repr."""
    return encode(value)


def decode_payload(data: bytes, expected_type: type[T]) -> T:
    """Return the value that :func:`encode_payload` made into bytes; ``object`` takes any plain value.

    :raises UnexpectedPayload: if it is not of the type, or the bytes are not of this codec.
    """
    try:
        if expected_type in _PLAIN:
            return _checked(decode(data, object), expected_type)
        return decode(data, expected_type)
    except WireError as error:
        reason = f"it cannot be read: {getattr(error, 'reason', error.sentence())}".rstrip(".")
        raise UnexpectedPayload(expected=expected_type.__name__, reason=reason) from error


def decode_response(response: ProcessControlResponse, expected_type: type[T]) -> T:
    """Return the payload of a response.

    :raises ProcessRequestFailed: if the response is a failure.
    :raises UnexpectedPayload: if there is no payload, or one of another type.
    """
    if not response.ok:
        code = response.error_code or ProcessControlErrorCode.UNKNOWN
        raise ProcessRequestFailed(error_code=code.value, reason=response.error or "the process did not say why")
    if response.payload is None:
        raise UnexpectedPayload(expected=expected_type.__name__, reason="the response did not include a payload")
    return decode_payload(response.payload, expected_type)


def _checked(value: Any, expected_type: type[T]) -> T:
    # The type itself and no subclass, because a bool is no int here.
    if type(value) is not expected_type:
        reason = f"what came is of the type {type(value).__name__}"
        raise UnexpectedPayload(expected=expected_type.__name__, reason=reason)
    return value
