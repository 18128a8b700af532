"""The endpoints of this process, and who wants what of them traced.

Endpoints come and go on their event loops, clients are answered on the control link's: any thread may be here.
"""

import math
import os
import threading
import time
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING
from uuid import UUID
from weakref import WeakKeyDictionary, WeakValueDictionary

from ezmsg.core.profiling.endpoints import ProfiledPublisher, ProfiledSubscriber
from ezmsg.protocol import model

if TYPE_CHECKING:
    from ezmsg.core.profiling.controls import Control, Endpoint
    from ezmsg.core.profiling.tracers import PublisherTracer, SubscriberTracer

NS_IN_S = 1e9

Origin = Hashable
"""Who wants something traced: a session or a client of the graph server, or a program that asks about itself."""


class Registry:
    """What one client wants neither changes nor is changed by what another one gets.

    :param clock_ns: the clock by which endpoints measure.
    """

    def __init__(self, clock_ns: Callable[[], int] = time.perf_counter_ns) -> None:
        self._clock_ns = clock_ns
        self.reset()

    def reset(self) -> None:
        """Forget everything, as a forked child has nothing of it."""
        self._lock = threading.RLock()
        # Weakly, because a program may forget an endpoint together with its event loop, without closing it.
        self._publishers: WeakValueDictionary[UUID, ProfiledPublisher] = WeakValueDictionary()
        self._subscribers: WeakValueDictionary[UUID, ProfiledSubscriber] = WeakValueDictionary()
        self._publisher_tracers: WeakKeyDictionary[ProfiledPublisher, PublisherTracer] = WeakKeyDictionary()
        self._subscriber_tracers: WeakKeyDictionary[ProfiledSubscriber, SubscriberTracer] = WeakKeyDictionary()
        self._controls: dict[Origin, Control] = {}

    # --- endpoints ------------------------------------------------------------------------------------------

    def add_publisher(self, publisher: ProfiledPublisher) -> None:
        """A publisher joins; who wants all of them, or its topic, gets it too."""
        with self._lock:
            self._publishers[publisher.id] = publisher
            for control in self._controls.values():
                self._begin_publisher(control, publisher)

    def remove_publisher(self, publisher: ProfiledPublisher) -> None:
        """A publisher leaves."""
        with self._lock:
            if self._publishers.pop(publisher.id, None) is not None:
                self._leave(publisher)

    def add_subscriber(self, subscriber: ProfiledSubscriber) -> None:
        """A subscriber joins; who wants all of them, or its topic, gets it too."""
        with self._lock:
            self._subscribers[subscriber.id] = subscriber
            for control in self._controls.values():
                self._begin_subscriber(control, subscriber)

    def remove_subscriber(self, subscriber: ProfiledSubscriber) -> None:
        """A subscriber leaves."""
        with self._lock:
            if self._subscribers.pop(subscriber.id, None) is not None:
                self._leave(subscriber)

    # --- counters -------------------------------------------------------------------------------------------

    def publishers(self) -> "list[model.PublisherProfileSnapshot]":
        """Return what every publisher has counted."""
        with self._lock:
            known = [(each, self._publisher_tracers.get(each)) for each in self._publishers.values()]
        from ezmsg.core.profiling import snapshots

        return [snapshots.of_publisher(publisher, tracer) for publisher, tracer in known]

    def subscribers(self) -> "list[model.SubscriberProfileSnapshot]":
        """Return what every subscriber has counted."""
        with self._lock:
            known = [(each, self._subscriber_tracers.get(each)) for each in self._subscribers.values()]
        from ezmsg.core.profiling import snapshots

        return [snapshots.of_subscriber(subscriber, tracer) for subscriber, tracer in known]

    # --- traces ---------------------------------------------------------------------------------------------

    def origins(self) -> list[Origin]:
        """Return those for whom something is traced."""
        self.expire()
        with self._lock:
            return [origin for origin, control in self._controls.items() if not control.over]

    def set_trace(self, origin: Origin, wish: "model.ProfilingTraceControl") -> None:
        """Trace for somebody, in place of what was traced for it before.

        :raises InvalidTraceControl: if that is not possible; then nothing changes.
        :raises InvalidOption: if the environment says nothing sensible of the size of rings.
        """
        # With the first trace: what measures needs NumPy.
        from ezmsg.core.profiling import controls

        with self._lock:
            controls.check(wish, list(self._publishers.values()), list(self._subscribers.values()))
            controls.capacity()
            self.end_trace(origin)
            if not wish.enabled:
                return
            now_ns = self._clock_ns()
            control = controls.Control(wish, now_ns)
            if wish.ttl_seconds is not None:
                control.deadline_ns = now_ns + wish.ttl_seconds * NS_IN_S
            self._controls[origin] = control
            for publisher in list(self._publishers.values()):
                self._begin_publisher(control, publisher)
            for subscriber in list(self._subscribers.values()):
                self._begin_subscriber(control, subscriber)

    def end_trace(self, origin: Origin) -> None:
        """Trace for somebody no more; what it has not read is gone."""
        with self._lock:
            control = self._controls.pop(origin, None)
            if control is not None:
                self._end(control)

    def expire(self) -> float | None:
        """End what has lived its time; what it has recorded can still be read.

        Return in how many seconds the next one will have, ``None`` if nothing has a time to live.
        """
        with self._lock:
            now_ns = self._clock_ns()
            for control in self._controls.values():
                if control.deadline_ns <= now_ns and not control.over:
                    self._end(control)
            next_ns = min((each.deadline_ns for each in self._controls.values() if not each.over), default=math.inf)
            return None if next_ns == math.inf else (next_ns - now_ns) / NS_IN_S

    def traces_for(self, origin: Origin) -> bool:
        """Return whether something is traced for somebody."""
        return origin in self.origins()

    def take_trace(self, origin: Origin, max_samples: int) -> "tuple[model.TraceColumns, int]":
        """Take what was traced for somebody, at most so many samples, and the number of those that were lost."""
        self.expire()
        with self._lock:
            control = self._controls.get(origin)
            if control is None:
                return model.TraceColumns(), 0
            from ezmsg.core.profiling import batches

            lost, control.lost = control.lost, 0
            columns, more_lost = batches.take(control.recorded(), max_samples)
            for recorded in [each for each in control.ended if not each.recording.ring.waiting]:
                control.ended.remove(recorded)
            return columns, lost + more_lost

    # --- inside ---------------------------------------------------------------------------------------------

    def _begin_publisher(self, control: "Control", publisher: ProfiledPublisher) -> None:
        if control.wants(publisher, is_publisher=True):
            from ezmsg.core.profiling.tracers import PublisherTracer

            tracer = self._publisher_tracers.setdefault(publisher, PublisherTracer(publisher))
            control.begin(publisher, tracer)
            publisher.tracer = tracer

    def _begin_subscriber(self, control: "Control", subscriber: ProfiledSubscriber) -> None:
        if control.wants(subscriber, is_publisher=False):
            from ezmsg.core.profiling.tracers import SubscriberTracer

            tracer = self._subscriber_tracers.setdefault(subscriber, SubscriberTracer())
            control.begin(subscriber, tracer)
            subscriber.tracer = tracer

    def _leave(self, endpoint: "Endpoint") -> None:
        endpoint.tracer = None
        for control in self._controls.values():
            control.leave(endpoint.id)

    def _end(self, control: "Control") -> None:
        for recorded in control.end():
            endpoint = recorded.endpoint()
            if endpoint is not None and not recorded.tracer.recordings:
                endpoint.tracer = None


REGISTRY = Registry()
"""That of this process."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=REGISTRY.reset)
