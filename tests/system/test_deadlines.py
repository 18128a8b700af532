"""No wait is without a deadline, but those that are told here, each with what ends it instead.

Looked for are waits for somebody else: bare futures, events, queues, streams, other tasks and threads. A wait
inside ``asyncio.timeout`` has a deadline, and so has one that is given a ``timeout``. Requests to the graph server
have one of their own, unless their caller says that they shall not.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGES = Path(__file__).parents[2] / "packages"

STREAMS = {"drain", "read", "readexactly", "readline", "readuntil", "serve_forever", "sock_accept", "wait_closed"}
OTHERS = {"gather", "join", "run_in_executor", "shield", "to_thread", "wait", "wrap_future"}
WAITS = {*STREAMS, *OTHERS, "acquire", "get", "wait_returned"}
"""What waits are called that may take for ever."""

NEXT = "the next message, command or item: to wait for it is what the task is for, and its owner cancels it"
END = "the end of what runs: a signal, a word of the parent, or the end of a task"
CALLER = "an answer, for which the caller has set the deadline, around this or on the request inside"
PARTS = "several requests or endings, each with a deadline of its own"
CANCELLED = "tasks that were cancelled just before, and end at once"
USER = "code of the user's, which may take as long as it likes"
THREAD = "a thread that looks at this machine, and waits for nobody"
PEER = "the other end of a channel: it answers, or the end of its link ends this too"
BACK_PRESSURE = "a free buffer, or the word to go on: to wait for that is promised, and closing ends it"

ALLOWED = {
    NEXT: """
        control/cli/events.py events.read
        control/connection/client.py ControlConnection._connected_line
        control/connection/streaming.py ItemLine.__anext__
        core/pubsub/subscriber.py Subscriber.next_lease
        core/pubsub/subscriber.py Subscriber.next_peer_event
        graphserver/sockets/listener.py Listener._wait_and_accept
        tui/operating/feed.py Feed._follow
        tui/operating/feed.py Feed._look_again
        util/units/queue.py MessageQueue.send_message
        util/units/replay.py MessageReplay._may_go_on
        util/units/replay.py MessageReplay.replay
    """,
    END: """
        core/commands/command_line.py _until_terminated
        core/commands/serving.py serve
        core/runtime/backend.py Turn.begin
        core/runtime/backend.py Turn.end
        core/runtime/control_link.py ControlLink._live
        core/runtime/supervisor.py Supervisor._see_off
        core/runtime/supervisor.py Supervisor._supervise
        core/runtime/worker.py Worker._live
        core/runtime/worker.py Worker._prepare
        core/runtime/worker.py Worker._unless_stopped
        graphserver/server.py Server.run
        tui/serving.py _serve
    """,
    CALLER: """
        control/connection/line.py Line._shake_hands
        control/connection/requesting.py Requests._answer
        control/connection/sharing.py acquire
        control/graph/service.py GraphOperations._connection
        control/process/answers.py ProcessAnswers._call
        control/process/answers.py ProcessAnswers._stacks
        core/blocking/calls.py Call._complete
        core/channels/backpressure.py Window.wait_returned
        core/context/graph_context.py GraphContext._ensure_server
        core/context/graph_context.py GraphContext._open_session
        core/pubsub/declaring.py Declaring.declare
        core/pubsub/exchange.py Exchange._sync
        core/pubsub/exchange.py Exchange.acquire
        core/pubsub/links.py Links.to
        core/pubsub/opening.py Opener._ask
        core/pubsub/publisher.py Publisher.create
        core/pubsub/subscriber.py Subscriber.create
        core/runtime/control_link.py ControlLink._change
        core/runtime/control_link.py ControlLink.open
        core/runtime/control_link.py ControlLink.units_are_ready
        core/runtime/relaying.py Bridges._until_quiet
        core/runtime/unit_settings.py UnitSettings._hand_over
        core/runtime/unit_settings.py UnitSettings.settle
        graphserver/metrics/page.py _read_on
        graphserver/metrics/scraping.py Scraping.page
        graphserver/performer.py Performer.survey
        zenoh/channels/hearing.py Hearing.open
        zenoh/session.py in_thread
        zenoh/transport.py ZenohTransport._open_session
    """,
    PARTS: """
        control/connection/client.py ControlConnection._close_from_elsewhere
        control/connection/client.py _see_restored
        control/connection/sharing.py _leave
        control/graph/server_status.py server_statuses
        control/process/faring.py take_fares
        control/profiling/blame.py _snapshots
        control/profiling/snapshots.py profiling_snapshot_all
        control/profiling/tracing.py Tracing._set
        control/profiling/tracing.py Tracing.collect
        core/context/graph_context.py GraphContext.revert
        core/context/publishing_settings.py publish_settings
        core/pubsub/exchange.py Exchange.release
        core/pubsub/links.py Links.close
        core/pubsub/publisher.py Publisher.wait_closed
        core/pubsub/subscriber.py Subscriber.wait_closed
        core/pubsub/declaring.py Declaring._declare
        core/runtime/worker.py _opened
        core/support/many.py outcomes
        core/transports/accepting.py Acceptor.wait_closed
        graphserver/metrics/scraping.py Scraping.close
        graphserver/sockets/listener.py Listener.close
        tui/operating/feed.py Feed._ask_now_and_then
    """,
    CANCELLED: """
        control/cli/events.py _end
        control/cli/progress.py progress
        control/connection/client.py ControlConnection.close
        control/profiling/trace_stream.py Asking.end
        control/profiling/trace_stream.py Processes.end
        core/pubsub/routes.py Routes.close
        core/runtime/relaying.py Bridges.end
        graphserver/metrics/page.py MetricsPage._serve
        graphserver/metrics/page.py MetricsPage.close
        graphserver/server.py Server._say_goodbye
        tui/operating/feed.py Feed._follow
        tui/summary.py look
        zenoh/transport.py ZenohTransport.close
    """,
    USER: """
        control/connection/answering.py _answer
        control/process/answers.py _awaited
        control/process/in_thread.py in_thread
        core/graph/unit.py Unit.setup
        core/runtime/tasks.py RunningUnit._call
        core/runtime/worker.py Worker._end
        core/runtime/worker.py Worker._shut_down
        core/runtime/worker.py Worker._watch
    """,
    THREAD: """
        control/doctor/installation/judging.py _gather
        control/doctor/tokens.py _gather
        control/graph/server_start.py started
        core/commands/dashboards.py dashboard
        core/commands/shared_memory.py _gather
        core/context/graph_context.py _stop
        graphserver/metrics/scraping.py Scraping._make
        tui/operating/acting.py Operator._perform
        tui/operating/feed.py Feed._open
        util/units/replay.py MessageReplay.replay
    """,
    PEER: """
        core/channels/channel.py Channel.agreed
        core/pubsub/exchange.py Exchange._drain
        core/pubsub/opening.py Opener.drain
        core/pubsub/routes.py Routes._open
        core/transports/link.py Link.flushed
        core/transports/link_sender.py LinkSender.end
        core/transports/shared_memory.py SharedMemorySender.end
        zenoh/channels/feeding.py ZenohSender.end
    """,
    BACK_PRESSURE: """
        core/channels/backpressure.py Window.take
        core/pubsub/publisher.py Publisher._wait_running
    """,
}
"""Where waits are allowed that have no deadline of their own, by what ends them."""


def test_no_wait_is_without_a_deadline() -> None:
    told = {place for places in ALLOWED.values() for place in map(str.strip, places.splitlines()) if place}
    found = set(_places())
    assert found - told == set(), "give them a deadline, or say in this file what ends them"
    assert told - found == set(), "these are gone: take them out of this file"


def test_the_check_finds_each_kind_of_wait() -> None:
    source = """
async def a(queue, event, future, reader):
    await queue.get()
    await event.wait()
    await future
    await reader.readexactly(4)
    await asyncio.wait([future])
    await asyncio.gather(future)
"""
    assert len(list(_waits(ast.parse(source), "", False))) == 6
    bounded = """
async def a(queue, futures, connection):
    async with asyncio.timeout(1.0):
        await queue.get()
    await asyncio.wait(futures, timeout=1.0)
    await asyncio.wait_for(queue.get(), 1.0)
    await connection.request("body")
"""
    assert not list(_waits(ast.parse(bounded), "", False))


def _places() -> Iterator[str]:
    for path in sorted(PACKAGES.glob("*/src/ezmsg/**/*.py")):
        inside = path.as_posix().partition("/src/ezmsg/")[2]
        source = path.read_text("utf-8")
        for function in _waits(ast.parse(source), "", False) if "await " in source else ():
            yield f"{inside} {function}"


def _waits(node: ast.AST, function: str, bounded: bool) -> Iterator[str]:
    """Yield the name of the function around each wait that has no deadline."""
    for child in ast.iter_child_nodes(node):
        name, has_deadline = function, bounded
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name, has_deadline = f"{function}.{child.name}".lstrip("."), False
        elif isinstance(child, ast.AsyncWith):
            has_deadline = bounded or any(_is_timeout(item.context_expr) for item in child.items)
        elif isinstance(child, ast.Await) and not bounded and _may_take_for_ever(child.value):
            yield name
        yield from _waits(child, name, has_deadline)


def _is_timeout(expression: ast.expr) -> bool:
    return isinstance(expression, ast.Call) and ast.unparse(expression.func) == "asyncio.timeout"


def _may_take_for_ever(awaited: ast.expr) -> bool:
    if not isinstance(awaited, ast.Call):
        return True
    called = awaited.func
    name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
    return name in WAITS and not any(keyword.arg == "timeout" for keyword in awaited.keywords)
