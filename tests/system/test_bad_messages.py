"""Messages that cannot be encoded or copied: the error names whose they are, and which part of them is at fault."""

from collections.abc import Callable
from typing import Any

import pytest

Start = Callable[..., Any]

PROGRAM = """
    from dataclasses import dataclass, field

    @dataclass
    class Frame:
        number: int = 1
        meta: dict = field(default_factory=dict)

    class Source(ez.Unit):
        OUTPUT = ez.OutputStream(Frame)

        @ez.publisher(OUTPUT)
        async def publish(self):
            yield self.OUTPUT, Frame(meta={{"device": threading.Lock()}})

    class Sink(ez.Unit):
        INPUT = ez.InputStream(Frame)

        @ez.subscriber(INPUT{options})
        async def take(self, frame):
            frame.number = 2

    class Line(ez.Collection):
        SOURCE, SINK = Source(), Sink()

        def network(self):
            return ((self.SOURCE.OUTPUT, self.SINK.INPUT),)

        def process_components(self):
            return ({separate})

    if __name__ == "__main__":
        ez.run(LINE=Line())
"""


def story(start: Start, words: str, **options: str) -> str:
    program = start(PROGRAM.format(**{"options": "", "separate": "", **options}))
    program.complains(words)
    program.signal(2)
    program.ends()
    return str(program.errors)


def test_what_cannot_be_encoded_is_named_with_its_component_and_stream(start: Start) -> None:
    told = story(start, "EZ-5001", separate="self.SINK,")
    for words in (
        "from the stream OUTPUT of LINE/SOURCE",
        "the message.meta['device'] cannot be pickled",
        "a lock",
    ):
        assert words in told


def test_what_cannot_be_copied_is_named_with_its_function_and_stream(start: Start) -> None:
    told = story(start, "zero_copy=False)", options=", zero_copy=False")
    for words in ("LINE/SINK:take", "Frame.meta['device'] cannot be copied", "a message of LINE/SINK/INPUT"):
        assert words in told


# --- changed while they are lent, to subscribers that are no unit's ---

LOW_LEVEL = """
    async def main():
        async with ez.GraphContext() as context:
            publisher = await context.publisher("T")
            subscriber = await context.subscriber("T")
            other = await context.subscriber("T")
            for _ in range(2):
                await publisher.broadcast({{"a": [1]}})
                async with other.recv_zero_copy() as seen:
                    assert seen["a"][0] == 1
                {receive}
                    message["a"][0] = 2
        say("done")

    if __name__ == "__main__":
        asyncio.run(main())
"""

UNCOPYABLE = """
    async def main():
        async with ez.GraphContext() as context:
            publisher = await context.publisher("T")
            subscriber = await context.subscriber("T")
            await publisher.broadcast({"device": threading.Lock()})
            try:
                await subscriber.recv()
            except TypeError as error:
                say("notes", *error.__notes__)

    if __name__ == "__main__":
        asyncio.run(main())
"""

CALLBACK = """
    import ezmsg.core.sync as sync

    def change(message):
        message["a"][0] = 2

    if __name__ == "__main__":
        with sync.init() as context:
            context.create_subscription("T", {how})
            publisher = context.create_publisher("T")
            for _ in range(2):
                publisher.publish({{"a": [1]}})
                assert context.spin_once(30.0)
        say("done")
"""


def test_what_recv_cannot_copy_is_named_with_its_topic(start: Start) -> None:
    program = start(UNCOPYABLE)
    told = " ".join(program.says("notes"))
    assert program.ends() == 0
    assert "dict['device'] cannot be copied, which is a lock" in told
    assert "It is a message of T, of which recv() returns private copies." in told


@pytest.mark.parametrize(
    ("receive", "is_named"),
    [
        ("async with subscriber.recv_zero_copy() as message:", True),
        ("for message in [await subscriber.recv()]:", False),
    ],
)
def test_a_low_level_subscriber_that_changes_a_message_is_named(start: Start, receive: str, is_named: bool) -> None:
    program = start(LOW_LEVEL.format(receive=receive), EZMSG_DEBUG_VIEWS="1")
    program.says("done")
    assert program.ends() == 0
    named = program.errors.count("A message of T was changed while it was lent in main (")
    assert named == int(is_named), program.story()
    assert ("program_0.py:" in program.errors) == is_named
    assert ("take private ones with recv(), which copies" in program.errors) == is_named


@pytest.mark.parametrize(("how", "is_named"), [("change, zero_copy=True", True), ("change", False)])
def test_a_callback_that_changes_a_message_is_named(start: Start, how: str, is_named: bool) -> None:
    program = start(CALLBACK.format(how=how), EZMSG_DEBUG_VIEWS="1")
    program.says("done")
    assert program.ends() == 0
    named = program.errors.count("A message of T was changed while it was lent to its callback.")
    assert named == int(is_named), program.story()
    assert ("take private ones with zero_copy=False" in program.errors) == is_named
