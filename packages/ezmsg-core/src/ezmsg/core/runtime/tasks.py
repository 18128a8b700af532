"""What the functions of a unit do while it runs: read streams, call, publish what they yield.

All functions of one inlet are called in turn for each message; different inlets, and functions without an inlet,
run side by side on the unit's event loop.
"""

import asyncio
import atexit
import inspect
import logging
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from types import AsyncGeneratorType
from typing import Any

from attrs import field

from ezmsg.core.channels.changed_views import fingerprint, tell_if_changed
from ezmsg.core.errors import EndpointClosed
from ezmsg.core.graph.bindings import bound_stream, publications_of, subscription_of
from ezmsg.core.graph.decorators import OWN_COPIES_ATTR
from ezmsg.core.graph.streams import InputStream, Stream
from ezmsg.core.graph.termination import Complete, NormalTermination
from ezmsg.core.graph.unit import Unit
from ezmsg.core.profiling.spans import span_of_task
from ezmsg.core.pubsub.publisher import Publisher
from ezmsg.core.pubsub.subscriber import Subscriber
from ezmsg.core.runtime.turns import Turns
from ezmsg.core.support.copying import copied
from ezmsg.core.support.descriptors import leave_closed_output, output_is_closed
from ezmsg.core.support.folding import Folding
from ezmsg.protocol.declared import declared
from ezmsg.protocol.wire.plain import safe_repr

logger = logging.getLogger("ezmsg")

Function = Callable[..., Any]

Observer = Callable[[object, BaseException | None], None]
"""Is told of each message that the functions of an inlet were called with, and what one of them raised."""


@declared(frozen=False, eq=False)
class RunningUnit:
    """A unit that is set up, with its publishers, its subscribers and the observers of inlets, each by topic."""

    unit: Unit
    publishers: Mapping[str, Publisher]
    subscribers: Mapping[str, Subscriber]
    strict: bool = False
    observers: Mapping[str, Observer] = field(factory=dict)
    ended_by_exception: set[str] = field(factory=set)
    _publisher_by_stream: dict[Stream, Publisher] = field(factory=dict)
    _turns: Turns = field(factory=Turns)
    _told: set[str] = field(factory=set)
    _floods: Folding = field(factory=Folding)

    @property
    def sources(self) -> list[str]:
        """The functions that begin by themselves, by their names for logs, and not for each message."""
        names = [name for name, each in self.unit.tasks.items() if subscription_of(self.unit, each) is None]
        return [f"{self.unit.address}:{name}" for name in names]

    def finish(self) -> None:
        """Say what is still to be said of it."""
        self._floods.finish()

    def coroutines(self) -> dict[str, Coroutine[Any, Any, None]]:
        """Return what is to be run, by a name for logs."""
        running: dict[str, Coroutine[Any, Any, None]] = {}
        inlets: dict[str, list[Function]] = {}
        for name, function in self.unit.tasks.items():
            self._see_that_it_yields(name, function)
            inlet = subscription_of(self.unit, function)
            if inlet is not None:
                inlets.setdefault(inlet.address, []).append(function)
            else:
                running[f"{self.unit.address}:{name}"] = self._run_once(name, function)
        for topic, functions in inlets.items():
            running[topic] = self._read(topic, functions)
        return running

    async def _run_once(self, name: str, function: Function) -> None:
        try:
            await self._call(name, function)
        except Complete:
            logger.info("%s:%s is complete", self.unit.address, name)
        except NormalTermination:
            raise
        except (Exception, asyncio.CancelledError) as error:  # a user's function; the others go on unless strict
            if cancelled_from_outside():
                raise
            if _is_of_closed_output(error):
                self._tell_closed_output(name)
                return
            self._tell_exception(name, error)
            if self.strict:
                raise
            self.ended_by_exception.add(f"{self.unit.address}:{name}")
            logger.warning(
                "%s:%s has ended by this exception and will not run again; the others go on. Set "
                "EZMSG_STRICT_SHUTDOWN=1 to have such an exception end the run.",
                self.unit.address,
                name,
            )

    async def _read(self, topic: str, functions: list[Function]) -> None:
        subscriber = self.subscribers[topic]
        observer = self.observers.get(topic)
        read_one = self._read_one if observer is None else partial(self._read_observed, observer)
        remaining = list(functions)
        while remaining:
            try:
                await read_one(subscriber, remaining)
            except (EndpointClosed, NormalTermination, asyncio.CancelledError):
                raise
            except Exception as error:  # whatever a user's class raises when it is unpickled; the next may be good
                if self.strict:
                    raise
                self._floods.tell("A message for %s could not be received, and is skipped", topic, error)
            await self._give_way()  # what waits in the queue makes nobody wait, and a function need not either
        subscriber.close()

    async def _read_one(self, subscriber: Subscriber, functions: list[Function]) -> None:
        if subscriber.leaky:
            await self._call_all(subscriber, functions, await subscriber.recv())
            return
        async with subscriber.recv_zero_copy() as message:
            await self._call_all(subscriber, functions, message)

    async def _read_observed(self, observer: Observer, subscriber: Subscriber, functions: list[Function]) -> None:
        lease = await subscriber.next_lease()
        taken_ns = subscriber.took(lease)
        try:
            # The observer keeps it for longer than the lease, so that it may not lie in memory that is lent.
            message = lease.private() if lease.lent or subscriber.leaky else lease.view()
            try:
                observer(message, await self._call_all(subscriber, functions, message))
            except NormalTermination:  # the end of the run, and not a refusal of the message
                observer(message, None)
                raise
            except BaseException as error:
                observer(message, error)
                raise
        finally:
            lease.release()
            subscriber.let_go(taken_ns, lease)

    async def _call_all(
        self, subscriber: Subscriber, functions: list[Function], message: Any
    ) -> BaseException | None:
        """Call functions in turn; return what the last of them that failed has raised."""
        failure = None
        for function in tuple(functions):
            seen = fingerprint(message) if subscriber.watched else None
            try:
                given = _own(message, subscriber.topic) if hasattr(function, OWN_COPIES_ATTR) else message
                if (tracer := subscriber.tracer) is None:
                    await self._call(function.__name__, function, given)
                else:
                    with span_of_task(tracer, function.__name__):
                        await self._call(function.__name__, function, given)
            except Complete:
                functions.remove(function)
                logger.info("%s:%s is complete", self.unit.address, function.__name__)
            except NormalTermination:
                raise
            except (Exception, asyncio.CancelledError) as error:  # a user's; called again for the next message
                if cancelled_from_outside():
                    raise
                if _is_of_closed_output(error):
                    functions.remove(function)
                    self._tell_closed_output(function.__name__)
                    continue
                self._tell_exception(function.__name__, error)
                if self.strict:
                    raise
                failure = error
            if seen is not None:
                whom = f"to {self.unit.address}:{function.__name__}"
                tell_if_changed(subscriber.topic, whom, message, seen, "@subscriber(..., zero_copy=False)")
        return failure

    async def _call(self, name: str, function: Function, *message: Any) -> None:
        result: Any = function(self.unit, *message)
        if type(result) is AsyncGeneratorType:
            try:
                async for item in result:
                    await self._publish(name, item)
            except BaseException:  # a cancellation, too: first the user's generator lets go of what it holds
                await result.aclose()
                raise
        elif inspect.isgenerator(result):
            result.close()
            self._tell_once(
                name, "is a generator that is not asynchronous, and nothing of it runs. Write `async def`."
            )
        elif inspect.isawaitable(result):
            self._see_returned(name, function, await result, "is no generator: nothing of it can be published")
        else:
            self._see_returned(name, function, result, "is a plain function: nothing of it can be published")

    async def _publish(self, name: str, item: object) -> None:
        match item:
            case (stream, obj):
                publisher = self._publisher_of(stream)
            case _:
                stream, obj, publisher = item, None, None
        if publisher is None:
            self._tell_once(
                name,
                f"yields messages for {stream!r}, which is no OutputStream of the unit; they are dropped. "
                "Yield (self.OUTPUT, message) with a stream of its own.",
            )
            return
        await publisher.broadcast(obj)
        await self._give_way()

    async def _give_way(self) -> None:
        """Let the others of the event loop have their turn, if it is time: an order to stop is among them."""
        if self._turns.due():
            await asyncio.sleep(0)
            self._turns.taken()

    def _publisher_of(self, stream: Any) -> Publisher | None:
        if not isinstance(stream, Stream):
            return None
        known = self._publisher_by_stream.get(stream)
        if known is None:
            own = bound_stream(self.unit, stream)
            known = None if own is None else self.publishers.get(own.address)
            if known is not None:
                self._publisher_by_stream[stream] = known
        return known

    def _see_that_it_yields(self, name: str, function: Function) -> None:
        """Say so at the start if a coroutine is to publish: it may never return, and then nobody would be told."""
        if inspect.iscoroutinefunction(function) and (declared := publications_of(self.unit, function)):
            stream = declared[0].name
            self._tell_once(
                name,
                f"publishes on {stream}, but has no `yield`: nothing of it can be published, and what it returns "
                f"goes nowhere. Write `yield self.{stream}, message` in it.",
            )

    def _see_returned(self, name: str, function: Function, value: object, what: str) -> None:
        """Say so if a function that is to publish does not yield: what it returns goes nowhere."""
        if not (declared := publications_of(self.unit, function)):
            return
        stream = declared[0].name
        returned = "" if value is None else f", and what it returned goes nowhere: {safe_repr(value)}"
        self._tell_once(name, f"{what}{returned}. Write `yield self.{stream}, message` in an `async def`.")

    def _tell_closed_output(self, name: str) -> None:
        logger.warning(
            "Standard output is closed, so that %s:%s, which prints, is not called any more; all else goes on.",
            self.unit.address,
            name,
        )
        atexit.register(leave_closed_output)

    def _tell_once(self, name: str, what: str) -> None:
        if name not in self._told:
            self._told.add(name)
            logger.error("%s:%s %s", self.unit.address, name, what)

    def _tell_exception(self, name: str, error: BaseException) -> None:
        self._floods.tell("Exception in Task: %s", f"{self.unit.address}:{name}", error)


def _is_of_closed_output(error: BaseException) -> bool:
    """Return whether a function has printed for a reader that has had enough."""
    return isinstance(error, BrokenPipeError) and output_is_closed()


def _own(message: Any, topic: str) -> Any:
    """Return a private copy for a function that wants one; an error over that names the stream and the part."""
    try:
        return copied(message)
    except Exception as error:  # whatever a user's class raises when it is copied
        error.add_note(f"It is a message of {topic}, of which a function wants copies (zero_copy=False).")
        raise


def inlets_in_use(unit: Unit) -> list[InputStream]:
    """Return the inlets that a function of the unit reads; the others need no subscriber."""
    found: dict[str, InputStream] = {}
    for function in unit.tasks.values():
        inlet = subscription_of(unit, function)
        if inlet is not None:
            found[inlet.address] = inlet
    return list(found.values())


def cancelled_from_outside() -> bool:
    """Whether the task that asks was cancelled, and not only something that it awaited."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
