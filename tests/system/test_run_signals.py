"""Ends from outside that test_shutdown_matrix.py has not: signals at odd moments, own handlers, and `main`."""

import signal

import pytest

THREE_PROCESSES = """
    if __name__ == "__main__":
        start_as("{method}")
        ez.run(PAIR=Pair(), HERE=Here())
        say("after")
    """


def wait_until_it_flows(program):
    program.says("running HERE")
    program.says("got PAIR/LISTENER 3")


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


def test_sigterm_to_all_processes_ends_it_with_143(start):
    program = start(THREE_PROCESSES.format(method="spawn"))
    wait_until_it_flows(program)
    program.signal(signal.SIGTERM, group=True)
    assert program.ends() == 143
    assert program.says("shutdown HERE")
    assert "after\n" not in program.out


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
