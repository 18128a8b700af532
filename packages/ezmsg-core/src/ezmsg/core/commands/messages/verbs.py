"""``ezmsg topic echo`` and ``ezmsg topic pub``, which go through the data plane."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from cyclopts import Parameter

from ezmsg.control.cli.options import AddressOption, JsonOption, TimeoutOption
from ezmsg.control.cli.saying import note, say_json
from ezmsg.control.rendering.quantities import counted

_FAILED, _USAGE = 1, 2

Count = Annotated[int | None, Parameter(help="End after so many messages; else with Ctrl-C.")]


def echo(
    topic: Annotated[str, Parameter(help="The topic, or a beginning that only it has.")],
    /,
    *,
    field: Annotated[str | None, Parameter(help="Only this part of each: like axes[time].gain or data[0].")] = None,
    every: Annotated[float, Parameter(help="Show at most one message in so many seconds, the newest.")] = 0.0,
    count: Count = None,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 10.0,
) -> int:
    """Show the messages of a topic, a line each, arrays by their type, shape and range.

    It subscribes, and never holds the graph back: what comes faster than it can be shown is dropped here, and
    counted. It ends with 5 if no message comes within --timeout. For example:

    ezmsg topic echo DEMO/GEN/OUTPUT --count 3

    ezmsg topic echo DEMO/GEN/OUTPUT --field data[0] --every 1 --json
    """
    if every < 0 or (count is not None and count < 1):
        note("ezmsg: --every takes seconds from 0 on, and --count a whole number from 1 on.")
        return _USAGE
    import asyncio

    from ezmsg.control.connection.discovery import find_address
    from ezmsg.core.commands.messages.echoing import Wanted, show_messages

    wanted = Wanted(topic, field or "", every, count, timeout, json)
    with _quiet():
        return asyncio.run(show_messages(wanted, find_address(address)))


def pub(
    topic: Annotated[str, Parameter(help="The topic, in full: it need not be there yet.")],
    value: Annotated[str, Parameter(allow_leading_hyphen=True, help="The message, as JSON; else it is a text.")],
    /,
    *,
    array: Annotated[
        str | None, Parameter(help="Make an array of this type of it, such as float32.", negative="")
    ] = None,
    count: Annotated[int, Parameter(help="Publish it so often.")] = 1,
    every: Annotated[float, Parameter(help="Seconds from one to the next.")] = 1.0,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 5.0,
) -> int:
    """Publish a message to a topic, once or more, when somebody subscribes to it.

    It ends with 1 if nobody does within --timeout. For example:

    ezmsg topic pub DEMO/FILT/INPUT 3.5

    ezmsg topic pub DEMO/FILT/INPUT '[[1, 2], [3, 4]]' --array float32 --count 10 --every 0.1
    """
    if every < 0 or count < 1:
        note("ezmsg: --every takes seconds from 0 on, and --count a whole number from 1 on.")
        return _USAGE
    import asyncio

    from ezmsg.control.connection.discovery import find_address
    from ezmsg.core.commands.messages.publishing import message_of, publish

    try:
        message = message_of(value, array)
    except (TypeError, ValueError) as error:
        note(f"ezmsg: {value[:80]!r} makes no array of {array!r}: {error}.")
        return _USAGE
    with _quiet():
        sent, subscribers = asyncio.run(publish(topic, message, count, every, find_address(address), timeout))
    if not subscribers:
        note(f"ezmsg: Nobody has subscribed to {topic} within {timeout:g} s, so that nothing was published.")
        return _FAILED
    if json:
        say_json({"$schema": "ezmsg.published/1", "topic": topic, "messages": sent, "subscribers": subscribers})
    else:
        said = f"{counted(sent, 'message')} for {counted(subscribers, 'process')}"
        note(f"{topic}: {said}")
    return 0


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep off the terminal what the data plane has to say to who writes programs; what matters is said here."""
    import logging
    import os

    logger = logging.getLogger("ezmsg")
    level = logger.level
    if "EZMSG_LOGLEVEL" not in os.environ:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
