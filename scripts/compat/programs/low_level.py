"""Topics without units: publish, subscribe, connect, hold everybody up and go on, and look at the graph.

differs after close: a closed publisher or subscriber says so; in the public package what is published is lost
  without a word, and who waits for a message waits for ever.
"""

import asyncio

import numpy as np
from say import say

import ezmsg.core as ez
from ezmsg.core.dag import CyclicException
from ezmsg.core.graphserver import GraphService

LIMIT_S = 2.0


async def publish_and_subscribe(context: ez.GraphContext) -> None:
    """Within one process the object itself is handed on; `recv` gives a copy, `recv_zero_copy` does not."""
    publisher = await context.publisher("A", num_buffers=4)
    subscriber = await context.subscriber("B")
    await publisher.broadcast("nobody hears this")
    await context.connect("A", "B")
    sent = {"array": np.arange(5)}
    await publisher.broadcast(sent)
    async with subscriber.recv_zero_copy() as message:
        say("zero copy", message is sent, message["array"].flags.writeable)
    await publisher.broadcast(sent)
    message = await subscriber.recv()
    say("copy", message is sent, message, message["array"].flags.writeable)
    for number in range(4):
        await publisher.broadcast(number)
    say("order", [await subscriber.recv() for _ in range(4)])
    await context.disconnect("A", "B")
    await publisher.broadcast("nobody hears this either")
    await context.connect("A", "B")
    await publisher.broadcast("heard")
    say("after reconnecting", await subscriber.recv())


async def not_as_the_object(context: ez.GraphContext) -> None:
    """Without local delivery a message is written and read; over TCP its arrays are read-only."""
    for number, options in enumerate(({"allow_local": False}, {"force_tcp": True})):
        publisher = await context.publisher(f"REMOTE_{number}", **options)
        subscriber = await context.subscriber(f"REMOTE_{number}")
        sent = np.arange(20_000).reshape(100, 200)
        await publisher.broadcast(sent)
        async with subscriber.recv_zero_copy() as message:
            say("remote", options, message is sent, np.array_equal(message, sent), message.dtype)
            if "force_tcp" in options:
                say("remote", "writable:", message.flags.writeable)
        await publisher.broadcast(sent)
        say("remote", "a copy is writable:", (await subscriber.recv()).flags.writeable)


async def pause_and_resume(context: ez.GraphContext) -> None:
    publisher = await context.publisher("PAUSED")
    subscriber = await context.subscriber("PAUSED")
    say("pause", publisher.running)
    await context.pause()
    while publisher.running:  # noqa: ASYNC110  the public package does not wait until the publishers know
        await asyncio.sleep(0.01)
    sending = asyncio.create_task(publisher.broadcast("held back"))
    done, _ = await asyncio.wait((sending,), timeout=0.5)
    say("pause", publisher.running, len(done), "sent")
    await context.resume()
    await sending
    say("pause", publisher.running, await subscriber.recv())
    publisher.pause()
    say("pause", publisher.running)
    publisher.resume()
    later = await context.publisher("PAUSED_FIRST", start_paused=True)
    subscriber = await context.subscriber("PAUSED_FIRST")
    say("pause", publisher.running, later.running)
    await GraphService().resume()
    await later.broadcast("resumed")
    say("pause", later.running, await subscriber.recv())


async def sync(context: ez.GraphContext) -> None:
    """Wait until everything is received; who does that, resumes the graph afterwards."""
    publisher = await context.publisher("SYNCED")
    subscriber = await context.subscriber("SYNCED")
    await publisher.broadcast(1)
    try:
        await context.sync(timeout=0.2)
    except TimeoutError:
        say("sync waits", "a message was not received in time")
    await context.resume()
    await subscriber.recv()
    await context.sync(timeout=LIMIT_S)
    say("sync", publisher.running)
    await context.resume()
    await GraphService().sync(timeout=LIMIT_S)
    await GraphService().resume()
    await publisher.sync()
    publisher.resume()
    await publisher.broadcast(2)
    say("sync waits", await subscriber.recv())


async def look_at_the_graph(context: ez.GraphContext) -> None:
    service = GraphService()
    for edge in (("G1", "G2"), ("G2", "G3"), ("G1", "G4")):
        await context.connect(*edge)
    await context.connect("G1", "G2")
    await service.connect("G4", "G5")
    dag = await service.dag()
    say("dag", {topic: sorted(dag.graph[topic]) for topic in sorted(dag.graph) if topic.startswith("G")})
    say("dag", sorted(dag.downstream("G1")), sorted(dag.upstream("G3")))
    snapshot = await context.snapshot()
    say("snapshot", {topic: snapshot.graph[topic] for topic in sorted(snapshot.graph) if topic.startswith("G")})
    owners = {tuple(edge): owners for edge, owners in snapshot.edge_owners.items()}
    say("snapshot", len(owners["G1", "G2"]), owners["G4", "G5"])
    for edge in (("G3", "G1"), ("G1", "G1")):
        try:
            await context.connect(*edge)
        except CyclicException:
            say("cycle", *edge)
    dag = await service.dag()
    say("cycle", sorted(dag.graph["G3"]))


async def after_the_session() -> None:
    """Edges of a session go with it, those of the service stay until it takes them back."""
    service = GraphService()
    dag = await service.dag()
    say("after", {topic: sorted(below) for topic, below in sorted(dag.graph.items())})
    await service.disconnect("G4", "G5")
    say("after", dict((await service.dag()).graph))
    for call in (ez.GraphContext().connect("X", "Y"), ez.GraphContext().snapshot()):
        try:
            await call
        except RuntimeError:
            say("after", "no session, RuntimeError")
    for endpoint in (ez.Publisher, ez.Subscriber):
        try:
            endpoint(None, "X", None)
        except TypeError:
            say("after", endpoint.__name__, "is made by create() only")
    publisher = await ez.Publisher.create("CREATED")
    subscriber = await ez.Subscriber.create("CREATED", None)
    await publisher.broadcast("without a context")
    say("after", await subscriber.recv())
    publisher.close()
    subscriber.close()
    await asyncio.gather(publisher.wait_closed(), subscriber.wait_closed())


async def closed() -> None:
    async with ez.GraphContext() as context:
        publisher, subscriber = await context.publisher("CLOSED"), await context.subscriber("CLOSED")
        for endpoint in (publisher, subscriber):
            endpoint.close()
            await endpoint.wait_closed()
        for call in (publisher.broadcast("lost"), subscriber.recv()):
            try:
                await asyncio.wait_for(call, 0.5)
            except Exception as error:  # noqa: BLE001  what it is, is the finding
                say("after close", type(error).__name__)
            else:
                say("after close", "nothing")


async def no_server() -> None:
    """Where the address is given, nothing is started unless that is asked for."""
    try:
        async with ez.GraphContext(("127.0.0.1", 1)):
            pass
    except ConnectionRefusedError:
        say("no server", "ConnectionRefusedError")
    except OSError:
        say("no server", "OSError")


async def main() -> None:
    async with ez.GraphContext() as context:
        for part in (publish_and_subscribe, not_as_the_object, pause_and_resume, sync, look_at_the_graph):
            await part(context)
    await after_the_session()
    await closed()
    await no_server()


if __name__ == "__main__":
    asyncio.run(main())
