"""What goes wrong in a run: it ends, says what and where, with exit status 1, and leaves nothing behind.

Here are the many ways; what matters most is in test_shutdown_matrix.py, for every way to start processes.
"""

import pytest


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("async def initialize(self):", "A: it could not be started: OSError: no amplifier"),
        ("async def shutdown(self):", "A: its shutdown raised OSError: no amplifier"),
        ("@ez.main\n                def ask(self):", "A:ask: OSError: no amplifier"),
    ],
)
def test_what_a_unit_of_the_programs_own_process_raises_comes_out_of_run(start, function, reason):
    program = start(
        f"""
            class Bad(ez.Unit):
                {function}
                    raise OSError("no amplifier")

            class End(ez.Unit):
                @ez.task
                async def end(self):
                    raise ez.NormalTermination

            try:
                ez.run(A=Bad(), B=End())
            except OSError as error:
                say(type(error).__name__, error, *error.__notes__)
        """
    )
    assert program.ends() == 0
    assert f"OSError no amplifier EZ-6201 The graph was stopped, because {reason}." in " ".join(
        program.says("OSError")
    )


def test_what_a_unit_of_another_process_raises_is_told_by_run(start):
    program = start(
        """
            class Bad(ez.Unit):
                async def initialize(self):
                    raise OSError("no amplifier")

            bad = Bad()
            try:
                ez.run(HERE=Here(), A=bad, process_components=(bad,))
            except RuntimeError as error:
                say(type(error).__name__, error)
        """
    )
    assert program.ends() == 0
    assert "A: it could not be started: OSError: no amplifier" in " ".join(program.says("RunFailed"))


@pytest.mark.parametrize(
    ("listed", "body", "reason"),
    [
        ("", "sys.exit(3)", "SystemExit: 3"),
        ("bad,", "sys.exit(3)", "SystemExit: 3"),
        ("bad,", "raise asyncio.CancelledError", "it was cancelled"),
        ("", "raise ez.NormalTermination", "NormalTermination"),
    ],
)
def test_an_unusual_exception_in_initialize_is_one(start, listed, body, reason):
    program = start(
        f"""
        class Bad(ez.Unit):
            async def initialize(self):
                {body}

        bad = Bad()
        ez.run(A=bad, B=Here(), process_components=({listed}))
        """
    )
    assert program.ends() == 1
    assert f"A: it could not be started: {reason}" in program.errors


@pytest.mark.parametrize("listed", ["", "bad,"], ids=["here", "elsewhere"])
def test_what_is_checked_of_settings_and_state_names_the_unit(start, listed):
    program = start(
        f"""
        class State(ez.State):
            value: int

        class Bad(ez.Unit):
            STATE = State

        bad = Bad()
        ez.run(A=bad, B=Here(), process_components=({listed}))
        """
    )
    assert program.ends() == 1
    assert "A: it could not be started: StateNotInitialized: EZ-6002  A: STATE.value was not" in program.errors
    assert program.errors.count("STATE.value was not initialized") == 2, "the log has it, and what run() raises"


def test_a_failure_does_not_wait_for_an_initialize_that_is_slow(start):
    program = start(
        """
        class Bad(ez.Unit):
            async def initialize(self):
                raise OSError("no amplifier")

        class Slow(ez.Unit):
            async def initialize(self):
                try:
                    await asyncio.Event().wait()
                finally:
                    say("cancelled")

        bad, slow = Bad(), Slow()
        ez.run(BAD=bad, SLOW=slow, HERE=Here(), process_components=(bad, slow))
        """
    )
    assert program.ends() == 1
    assert "BAD: it could not be started" in program.errors
    assert "did not stop in time" not in program.errors


def test_a_subscriber_that_raises_is_called_again_for_the_next_message(start):
    program = start(
        """
        class Bad(ez.Unit):
            INPUT = ez.InputStream(int)

            @ez.subscriber(INPUT)
            async def take(self, number):
                if number == 3:
                    raise OSError("a bad moment")
                if number == 9:
                    say("went on")
                    raise ez.NormalTermination

        counter, bad = Counter(count=10), Bad()
        ez.run(COUNTER=counter, A=bad, connections=((counter.OUTPUT, bad.INPUT),), process_components=(bad,))
        """
    )
    assert program.ends() == 0
    assert "went on\n" in program.out
    assert "Exception in Task: A:take" in program.errors


def test_a_message_that_cannot_be_unpickled_is_skipped(start):
    program = start(
        """
        class Poison:
            def __reduce__(self):
                return (int, ("not a number",))

        class Source(ez.Unit):
            OUTPUT = ez.OutputStream(object)

            @ez.publisher(OUTPUT)
            async def send(self):
                for message in (1, Poison(), 2):
                    yield self.OUTPUT, message

        class Sink(ez.Unit):
            INPUT = ez.InputStream(object)

            @ez.subscriber(INPUT)
            async def take(self, message):
                say("took", message)
                if message == 2:
                    raise ez.NormalTermination

        source, sink = Source(), Sink()
        ez.run(
            SOURCE=source, SINK=sink, connections=((source.OUTPUT, sink.INPUT),), process_components=(sink,)
        )
        """
    )
    assert program.ends() == 0
    assert program.out == ["took 1\n", "took 2\n"]
    assert "A message for SINK/INPUT could not be received" in program.errors


def test_a_message_that_cannot_be_pickled_is_named(start):
    program = start(
        """
        class Source(ez.Unit):
            OUTPUT = ez.OutputStream(object)

            @ez.publisher(OUTPUT)
            async def send(self):
                yield self.OUTPUT, lambda: None

        source, sink = Source(), Printer(count=1)
        ez.run(
            SOURCE=source, SINK=sink, connections=((source.OUTPUT, sink.INPUT),), process_components=(sink,)
        )
        """,
        EZMSG_STRICT_SHUTDOWN="1",
    )
    assert program.ends() == 1
    named = "A message of type function on SOURCE/OUTPUT, from the stream OUTPUT of SOURCE, cannot be encoded"
    assert named in program.errors


@pytest.mark.parametrize("listed", ["", "bad,"])
def test_an_exception_in_shutdown_is_told_and_the_others_are_shut_down(start, listed):
    program = start(
        f"""
        class Bad(ez.Unit):
            async def shutdown(self):
                raise OSError("it hangs on")

        bad = Bad()
        ez.run(
            A=bad, PRINTER=Printer(count=1), LAST=Counter(count=1, ends_run=True),
            process_components=({listed})
        )
        """
    )
    assert program.ends() == 1
    assert "A: its shutdown raised OSError: it hangs on" in program.errors
    assert program.says("shutdown PRINTER")


@pytest.mark.parametrize(("listed", "code"), [("", 0), ("bad,", 3)])
def test_a_main_that_ends_like_a_toolkits_ends_the_run(start, listed, code):
    program = start(
        f"""
        class Window(ez.Unit):
            @ez.main
            def show(self):
                sys.exit({code})

        bad = Window()
        ez.run(A=bad, HERE=Here(), process_components=({listed}))
        """
    )
    assert program.ends() == (1 if code else 0)
    assert ("it called sys.exit(3)" in program.errors) == bool(code)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("sys.exit(3)", "A:die: it called sys.exit(3)"),
        ("os._exit(3)", "the process of A (pid {pid}) left with exit status 3"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "the process of A (pid {pid}) was ended by SIGKILL"),
        ("asyncio.ensure_future(leave())", "the units' event loop: SystemExit: 3"),
    ],
)
def test_a_worker_that_dies_ends_the_run_and_is_named(start, how, reason):
    program = start(
        f"""
        async def leave():
            sys.exit(3)

        class Bad(ez.Unit):
            @ez.task
            async def die(self):
                say("dying", os.getpid())
                {how}
                await asyncio.Event().wait()

        bad = Bad()
        ez.run(A=bad, HERE=Here(), PAIR=Pair(), process_components=(bad,))
        """
    )
    assert program.ends() == 1
    reason = reason.format(pid=program.says("dying")[1])
    assert (
        program.errors.rstrip()
        .splitlines()[-1]
        .startswith(f"ezmsg.core.errors.RunFailed: EZ-6201  The graph was stopped, because {reason}")
    )
    assert program.says("shutdown HERE")
    assert program.says("shutdown PAIR/TICKER")


@pytest.mark.parametrize("how", ["sys.exit(3)", "asyncio.ensure_future(leave())"])
def test_an_exit_in_the_programs_own_process_ends_the_run_too(start, how):
    program = start(
        f"""
        async def leave():
            sys.exit(3)

        class Bad(ez.Unit):
            @ez.task
            async def die(self):
                {how}

        ez.run(A=Bad(), HERE=Here(), PAIR=Pair())
        """
    )
    assert program.ends() == 1
    assert program.says("shutdown HERE")
    assert program.says("shutdown PAIR/TICKER")


# --- before anything runs ---------------------------------------------------------------------------------------


def test_a_server_that_is_not_there_is_named(start):
    program = start(
        """
        try:
            ez.run(HERE=Here(), PAIR=Pair(), graph_address=("127.0.0.1", 1))
        except ez.GraphRunnerStartError:
            raise AssertionError
        except OSError as error:
            say(type(error).__name__)
            raise
        """
    )
    assert program.ends() == 1
    assert program.out == ["ServerUnreachable\n"]
    assert "No graph server answers at 127.0.0.1:1" in program.errors


def test_an_address_that_is_none_is_refused_before_a_process_starts(start):
    program = start('ez.run(HERE=Here(), PAIR=Pair(), graph_address="nonsense")')
    assert program.ends() == 1
    assert "InvalidAddress" in program.errors


def test_a_cycle_is_refused_before_anything_runs(start):
    program = start(
        """
        pair = Pair()
        try:
            ez.run(PAIR=pair, HERE=Here(), connections=(("PAIR/LISTENER/INPUT", "PAIR/TICKER/OUTPUT"),))
        except ez.CyclicException as error:
            say("cycle")
            raise
        """
    )
    assert program.ends() == 1
    assert program.out == ["cycle\n"]
    assert "PAIR/LISTENER/INPUT -> PAIR/TICKER/OUTPUT" in program.errors


def test_units_that_cannot_be_pickled_are_named_and_nobody_is_left_waiting(start):
    program = start(
        """
        if __name__ == "__main__":
            start_as("spawn")

            class Local(ez.Settings):
                pass

            pair, counter = Pair(), Counter(count=1)
            counter.SETTINGS.__dict__["extra"] = lambda: None
            ez.run(PAIR=pair, HERE=Here(), BAD=counter, process_components=(counter,))
        """
    )
    assert program.ends() == 1
    last = program.errors.rstrip().splitlines()[-1]
    assert "BAD: SETTINGS cannot be handed to a process of its own" in last
    assert "at the top of a module" in last
    assert not any(line.startswith("running") for line in program.out)


def test_a_program_without_a_main_guard_under_spawn_is_told_and_ends(start):
    program = start(
        """
        if multiprocessing.get_start_method(allow_none=True) is None:
            start_as("spawn")
        ez.run(PAIR=Pair(), HERE=Here())
        """
    )
    assert program.ends() == 1
    assert "freeze_support" in program.errors or "bootstrapping phase" in program.errors
