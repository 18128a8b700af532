"""Relays in programs: what they pass on, in which process, and that they neither prolong a run nor cut it short."""

import signal
import subprocess

import pytest

NUMBERS = " ".join(map(str, range(100)))


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("chain", ["Chain", "ApartChain"])
def test_messages_pass_over_relays_of_all_kinds_in_order(start, method, chain):
    program = start(
        f"""
        from relays import *

        if __name__ == "__main__":
            start_as("{method}")
            ez.run(C={chain}(CountSettings(count=100)))
        """
    )
    assert program.ends() == 0, program.story()
    assert f"seen C/RECEIVER/PRINTER {NUMBERS}\n" in program.out
    assert "Traceback" not in program.errors


def test_what_the_graph_server_is_told(start):
    program = start(
        """
        from relays import *
        from dataclasses import asdict

        async def look():
            async with ez.GraphContext(server.address) as context:
                return await context.snapshot()

        if __name__ == "__main__":
            server = own_server()
            runner = ez.GraphRunner(P=Passing(), S=Ticker(), graph_address=server.address)
            runner.start()
            snapshot = asyncio.run(look())
            runner.stop()
            server.stop()
            for topic, fed in snapshot.graph.items():
                say("edges", topic, *fed)
            (session,) = [each for each in snapshot.sessions.values() if each.metadata]
            for name, relay in session.metadata.components["P"].relays.items():
                say(type(relay).__name__, *[relay.relay_group, relay.relay_input_topic, relay.relay_output_topic])
        """
    )
    assert program.ends() == 0, program.story()
    hidden = "P/__relays__"
    assert {line.removeprefix("edges ").strip() for line in program.out if line.startswith("edges")} == {
        f"P/IN {hidden}/IN/INPUT",
        f"{hidden}/IN/INPUT",
        f"{hidden}/IN/OUTPUT P/MIDDLE",
        f"P/MIDDLE {hidden}/MIDDLE/INPUT",
        f"{hidden}/MIDDLE/INPUT",
        f"{hidden}/MIDDLE/OUTPUT {hidden}/OUT/INPUT",
        f"{hidden}/OUT/INPUT",
        f"{hidden}/OUT/OUTPUT P/OUT",
        "P/OUT",
    }
    for kind, name in (("InputRelay", "IN"), ("Relay", "MIDDLE"), ("OutputRelay", "OUT")):
        group = f"{hidden}/{name}"
        assert program.says(f"{kind}Metadata")[1:] == [group, f"{group}/INPUT", f"{group}/OUTPUT"]


@pytest.mark.parametrize("sender", ["Sender", "ApartSender"])
@pytest.mark.parametrize("ends_run", [True, False])
def test_what_was_sent_last_still_gets_out(start, sender, ends_run):
    """The sender is done, by itself or for all, as soon as it has sent; another program hears everything."""
    listener = start(
        """
        from relays import *

        listen("S/OUT", 100)
        """,
        stdin=subprocess.PIPE,
    )
    with listener.process.stdin:  # closing it ends the listener
        port = listener.says("listening")[1]
        program = start(
            f"""
            from relays import *

            if __name__ == "__main__":
                settings = CountSettings(count=100, ends_run={ends_run})
                ez.run(S={sender}(settings), graph_address=(LOCALHOST, {port}))
            """
        )
        assert program.ends() == 0, program.story()
        assert "Relays were stopped" not in program.errors
        assert listener.says("heard")[1:] == NUMBERS.split()
    assert listener.ends() == 0, listener.story()


def test_a_program_of_relays_alone_runs_until_it_is_interrupted(start):
    program = start(
        """
        from relays import *

        class Driver:
            async def drive(self, address):
                async with ez.GraphContext(address) as context:
                    subscriber = await context.subscriber("P/OUT")
                    publisher = await context.publisher("P/IN")
                    while not self.heard:
                        await publisher.broadcast(1)
                        try:
                            async with asyncio.timeout(0.05):
                                self.heard = await subscriber.recv()
                        except TimeoutError:
                            continue

            def run(self, address):
                self.heard = 0
                asyncio.run(self.drive(address))
                say("passed", self.heard)

        if __name__ == "__main__":
            server = own_server()
            thread = threading.Thread(target=Driver().run, args=(server.address,))
            thread.start()
            ez.run(P=Passing(), graph_address=server.address)
            thread.join()
            server.stop()
            say("over")
        """
    )
    assert program.says("passed") == ["passed", "1"]
    assert program.process.poll() is None
    program.signal(signal.SIGINT)
    assert program.ends() == 0, program.story()
    assert program.out[-1] == "over\n"


def test_a_process_of_relays_that_dies_is_named(start):
    program = start(
        """
        from relays import *

        if __name__ == "__main__":
            runner = ez.GraphRunner(C=ApartChain(CountSettings(count=10**9)))
            runner.start()
            (process,) = [each for each in runner.processes if each.name.startswith("C/PASSING")]
            say("names", *[each.name for each in runner.processes])
            process.kill()
            runner._supervisor.join()
            runner.stop()
        """
    )
    assert program.ends() == 0, program.story()
    assert "the process of C/PASSING/IN and 2 more (pid" in program.errors
    assert "was ended by SIGKILL" in program.errors
