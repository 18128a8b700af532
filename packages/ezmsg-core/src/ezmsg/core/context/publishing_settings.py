"""Settings published as a whole, as any message is, and the report that says they have arrived."""

import asyncio
import logging
from contextlib import aclosing

from ezmsg.control.connection.client import ControlConnection
from ezmsg.control.graph.settings import take_settings
from ezmsg.control.graph.watching import follow_settings
from ezmsg.control.settingsmeta import settings_structured_value
from ezmsg.core.pubsub.publisher import Publisher
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.messages.events import Gap, Reset
from ezmsg.protocol.model.settings import SettingsChangedEvent
from ezmsg.protocol.wire.codec import encode

logger = logging.getLogger("ezmsg")

REPORT_WAIT_S = 2.0
"""For how long a report is waited for, in seconds."""

OTHER_WAIT_S = 0.2
"""For how long after a report of other settings, in seconds: the component may have made others of those it got, or
somebody else has set them at the same time."""


async def publish_settings(
    connection: ControlConnection, server: Address, component_address: str, topic: str, value: object
) -> None:
    """Publish a settings object and return when the component's process reports it; the log says if it does not."""
    taken = await take_settings(connection)
    publisher = await Publisher.create(topic, server)
    try:
        await publisher.broadcast(value)
        async with asyncio.timeout(REPORT_WAIT_S) as nothing:
            await _reported(connection, taken.seq, component_address, value)
    except TimeoutError:
        if not nothing.expired():
            return
        logger.warning(
            "Nobody reported within %g s that %s has the settings published on %s. See that its program runs, that "
            "a function of it subscribes to that topic, and where it is: ezmsg process stacks %s",
            *(REPORT_WAIT_S, component_address, topic, component_address),
        )
    finally:
        publisher.close()
        await publisher.wait_closed()


async def _reported(connection: ControlConnection, after_seq: int, component_address: str, value: object) -> None:
    # As bytes, because a NaN is not equal to itself.
    wanted = encode(settings_structured_value(value))
    loop = asyncio.get_running_loop()
    async with aclosing(follow_settings(connection, after_seq)) as items, asyncio.timeout(None) as another:
        async for item in items:
            match item:
                case Gap() | Reset():  # the report may be among what is no longer told
                    return
                case SettingsChangedEvent(component_address=address, source_process_id=process):
                    if address != component_address or not process:
                        continue
                    if encode(item.value.structured_value) == wanted:
                        return
                    if another.when() is None:
                        another.reschedule(loop.time() + OTHER_WAIT_S)
