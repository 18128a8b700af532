"""How a run ends when somebody ends it from outside: the exit status tells how, and nothing is left behind."""

import signal

import pytest

IN_MANY_WAYS = pytest.mark.parametrize(
    ("method", "group"),  # to the program only, or to all its processes, as a terminal does
    [("fork", False), ("fork", True), ("spawn", True), ("forkserver", False)],
)

THREE_PROCESSES = """
    if __name__ == "__main__":
        start_as("{method}")
        ez.run(PAIR=Pair(), HERE=Here())
        say("after")
    """


def wait_until_it_flows(program):
    program.says("running HERE")
    program.says("got PAIR/LISTENER 3")


@IN_MANY_WAYS
def test_one_sigint_is_a_good_end(start, method, group):
    program = start(THREE_PROCESSES.format(method=method))
    wait_until_it_flows(program)
    program.signal(signal.SIGINT, group=group)
    assert program.ends() == 0
    addresses = ("HERE", "PAIR/TICKER", "PAIR/LISTENER")
    assert {f"shutdown {address}\n" for address in addresses} <= set(program.out)
    assert program.out[-1] == "after\n"
    assert "Traceback" not in program.errors
    assert "ERROR" not in program.errors


def test_sigint_while_units_are_set_up_is_a_good_end(start):
    program = start(
        """
        class Slow(ez.Unit):
            async def initialize(self):
                say("initialize", self.address)
                await asyncio.Event().wait()

        slow = Slow()
        ez.run(HERE=Slow(), SLOW=slow, process_components=(slow,))
        """
    )
    program.says("initialize HERE")
    program.says("initialize SLOW")
    program.signal(signal.SIGINT, group=True)
    assert program.ends() == 0
    assert "Traceback" not in program.errors


def test_sigint_while_processes_are_forked_is_a_good_end(start):
    program = start(
        """
        class Forked(multiprocessing.get_context("fork").Process):
            def run(self):
                if self.name == "PAIR/TICKER":
                    os.killpg(os.getpgid(0), signal.SIGINT)
                super().run()

        start_as("fork")
        multiprocessing.Process = Forked
        ez.run(PAIR=Pair(), HERE=Here())
        """
    )
    assert program.ends() == 0
    assert "Traceback" not in program.errors


def test_sigint_while_processes_are_spawned_is_a_good_end(start):
    program = start(
        """
        class Early(ez.Unit):
            def __setstate__(self, state):  # in the worker, before it has begun to work
                self.__dict__.update(state)
                os.killpg(os.getpgid(0), signal.SIGINT)

        if __name__ == "__main__":
            start_as("spawn")
            early = Early()
            ez.run(PAIR=Pair(), HERE=Here(), EARLY=early, process_components=(early,))
        """
    )
    assert program.ends() == 0
    assert "Traceback" not in program.errors


def test_a_second_sigint_ends_it_with_force(start):
    program = start(
        """
        class Stubborn(ez.Unit):
            @ez.task
            async def stay(self):
                while True:
                    try:
                        say("staying", self.address)
                        await asyncio.Event().wait()
                    except asyncio.CancelledError:
                        say("no", self.address)

        a = Stubborn()
        ez.run(A=a, HERE=Stubborn(), PAIR=Pair(), process_components=(a,))
        """
    )
    program.says("staying A")
    program.says("staying HERE")
    program.signal(signal.SIGINT)
    program.says("no A")
    program.says("no HERE")
    program.signal(signal.SIGINT)
    assert program.ends() == 130


def test_a_second_sigint_ends_even_units_that_give_no_turn(start):
    program = start(
        """
        a, b = Blocker(), Blocker()
        ez.run(A=a, B=b, PAIR=Pair(), process_components=(a,))
        """
    )
    program.says("blocking A")
    program.says("blocking B")
    program.signal(signal.SIGINT, group=True)
    program.says("shutdown PAIR/TICKER")
    program.signal(signal.SIGINT, group=True)
    assert program.ends() == 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_unit_that_does_not_stop_in_time_makes_the_end_an_unclean_one(start, number):
    program = start(
        """
        limit_stopping(1.0)
        a = Blocker()
        ez.run(A=a, HERE=Here(), process_components=(a,))
        """
    )
    program.says("blocking A")
    program.says("running HERE")
    program.signal(number)
    assert program.ends() == 128 + number
    assert "the process of A" in program.errors
    assert "did not stop in time" in program.errors


@pytest.mark.parametrize(("method", "group"), [("fork", False), ("spawn", True)])
def test_sigterm_to_the_program_ends_all_of_it_with_143(start, method, group):
    program = start(THREE_PROCESSES.format(method=method))
    wait_until_it_flows(program)
    program.signal(signal.SIGTERM, group=group)
    assert program.ends() == 143
    assert program.says("shutdown HERE")
    assert "after\n" not in program.out
    if not group:
        assert program.says("shutdown PAIR/LISTENER")
        assert "ERROR" not in program.errors


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_when_the_program_is_killed_its_workers_leave_by_themselves(start, method):
    program = start(THREE_PROCESSES.format(method=method))
    wait_until_it_flows(program)
    program.signal(signal.SIGKILL)
    assert program.ends() == 128 + signal.SIGKILL
    assert program.says("shutdown PAIR/TICKER")
    assert program.says("shutdown PAIR/LISTENER")


def test_when_the_program_is_killed_even_a_worker_that_gives_no_turn_leaves(start):
    program = start(
        """
        limit_stopping(1.0)
        a, b = Blocker(), Blocker()
        ez.run(A=a, B=b, HERE=Here(), PAIR=Pair(), process_components=(a, b))
        """
    )
    program.says("blocking A")
    program.says("blocking B")
    wait_until_it_flows(program)
    program.signal(signal.SIGKILL)
    assert program.ends() == 128 + signal.SIGKILL


def test_when_all_processes_are_killed_nothing_is_left(start):
    program = start(THREE_PROCESSES.format(method="fork"))
    wait_until_it_flows(program)
    program.signal(signal.SIGKILL, group=True)
    assert program.ends() == 128 + signal.SIGKILL


@pytest.mark.parametrize(
    ("number", "status", "listed", "group"),
    [
        (signal.SIGINT, 0, "", False),
        (signal.SIGINT, 0, "window,", True),
        (signal.SIGTERM, 143, "", True),
        (signal.SIGTERM, 143, "window,", False),
    ],
)
def test_a_main_is_interrupted_where_it_stands(start, number, status, listed, group):
    program = start(
        f"""
        class Window(ez.Unit):
            @ez.main
            def show(self):
                say("main")
                try:
                    time.sleep(3600)
                except KeyboardInterrupt:
                    say("interrupted")
                    raise

            async def shutdown(self):
                say("shutdown", self.address)

        window = Window()
        ez.run(WINDOW=window, HERE=Here(), PAIR=Pair(), process_components=({listed}))
        """
    )
    program.says("main")
    wait_until_it_flows(program)
    program.signal(number, group=group)
    assert program.ends() == status
    assert program.out.index("interrupted\n") < program.out.index("shutdown WINDOW\n")


def test_a_main_that_will_not_be_interrupted_is_ended_with_its_process(start):
    program = start(
        """
        class Window(ez.Unit):
            @ez.main
            def show(self):
                say("main")
                while True:
                    try:
                        time.sleep(3600)
                    except KeyboardInterrupt:
                        say("no")

        limit_stopping(1.0)
        window = Window()
        ez.run(WINDOW=window, HERE=Here(), process_components=(window,))
        """
    )
    program.says("main")
    program.says("running HERE")
    program.signal(signal.SIGINT)
    assert program.ends() == 130
    assert "WINDOW:show: main, which has not returned" in program.errors


def test_a_programs_own_handlers_stay(start):
    program = start(
        """
        def on_sigint(number, frame):
            say("mine")

        def on_sigterm(number, frame):
            raise SystemExit(7)

        signal.signal(signal.SIGINT, on_sigint)
        signal.signal(signal.SIGTERM, on_sigterm)
        ez.run(PAIR=Pair(), HERE=Here())
        """
    )
    wait_until_it_flows(program)
    program.signal(signal.SIGINT)
    program.says("mine")
    program.signal(signal.SIGTERM)
    assert program.ends() == 7
    assert program.says("shutdown PAIR/TICKER")


def test_handlers_are_given_back(start):
    program = start(
        """
        ez.run(PRINTER=Printer(count=1), LAST=Counter(count=1, ends_run=True))
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
        """
    )
    assert program.ends() == 0


def test_a_run_in_the_background_ignores_sigint_if_it_was_started_so(start):
    program = start(
        """
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        ez.run(PAIR=Pair(), HERE=Here())
        """
    )
    wait_until_it_flows(program)
    program.signal(signal.SIGINT, group=True)
    program.says("got PAIR/LISTENER 3")
    program.signal(signal.SIGTERM)
    assert program.ends() == 143
