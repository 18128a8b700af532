"""A door: messages as JSON live in `ezmsg.util.codec`; this is where programs import them from."""

from ezmsg.util.codec.decoder import MessageDecoder
from ezmsg.util.codec.encoder import (
    NDARRAY_DATA,
    NDARRAY_DTYPE,
    NDARRAY_SHAPE,
    NDARRAY_TYPE,
    PICKLE_DATA,
    PICKLE_TYPE,
    TYPE,
    MessageEncoder,
)
from ezmsg.util.codec.log import message_log
from ezmsg.util.codec.types import LogStart, StampedMessage, import_type, type_str

__all__ = [
    "NDARRAY_DATA",
    "NDARRAY_DTYPE",
    "NDARRAY_SHAPE",
    "NDARRAY_TYPE",
    "PICKLE_DATA",
    "PICKLE_TYPE",
    "TYPE",
    "LogStart",
    "MessageDecoder",
    "MessageEncoder",
    "StampedMessage",
    "import_type",
    "message_log",
    "type_str",
]
