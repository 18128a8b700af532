"""`GraphRunner`: a run that a program starts, looks at and stops."""

import pytest


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_start_look_stop(start, method):
    program = start(
        f"""
        if __name__ == "__main__":
            start_as("{method}")
            runner = ez.GraphRunner(PAIR=Pair(), HERE=Here())
            assert not runner.running
            assert runner.processes == []
            runner.start()
            assert runner.running
            assert runner.graph_server_spawned
            assert runner.graph_address.port >= 10000
            assert runner.connections == [("PAIR/TICKER/OUTPUT", "PAIR/LISTENER/INPUT")]
            assert len(runner.processes) == 3
            assert all(process.is_alive() for process in runner.processes)
            assert os.getpid() not in [process.pid for process in runner.processes]
            try:
                runner.start()
            except RuntimeError as error:
                say("again:", error)
            runner.stop()
            assert not runner.running
            assert not any(process.is_alive() for process in runner.processes)
            runner.stop()
            for again in (runner.start, runner.run_blocking):
                try:
                    again()
                except RuntimeError as error:
                    say("again:", error)
        """
    )
    assert program.ends() == 0
    assert len([line for line in program.out if line.startswith("again:")]) == 3
    assert program.says("shutdown HERE")


def test_start_needs_processes(start):
    program = start(
        """
        runner = ez.GraphRunner(HERE=Here(), force_single_process=True)
        try:
            runner.start()
        except ValueError as error:
            say(error)
        runner.stop()
        """
    )
    assert program.ends() == 0
    assert "force_single_process" in program.out[0]


def test_a_failed_start_is_raised_and_nothing_is_left(start):
    program = start(
        """
        class Bad(ez.Unit):
            async def initialize(self):
                raise OSError("no amplifier")

        runner = ez.GraphRunner(BAD=Bad(), HERE=Here(), PAIR=Pair())
        try:
            runner.start()
        except ez.GraphRunnerStartError as error:
            say("failed", error)
        assert not runner.running
        assert not multiprocessing.active_children()
        """
    )
    assert program.ends() == 0
    assert "BAD: it could not be started: OSError: no amplifier" in program.out[-1]


def test_a_start_without_server_is_raised(start):
    program = start(
        """
        runner = ez.GraphRunner(PAIR=Pair(), graph_address=("127.0.0.1", 1))
        try:
            runner.start()
        except OSError as error:
            say("failed", error)
        """
    )
    assert program.ends() == 0
    assert "No graph server answers at 127.0.0.1:1" in program.out[-1]


def test_a_run_that_is_over_at_once_was_started_all_the_same(start):
    program = start(
        """
        for _ in range(10):
            runner = ez.GraphRunner(LAST=Counter(count=0, ends_run=True))
            runner.start()
            runner.stop()
        """
    )
    assert program.ends() == 0


def test_a_program_that_forgets_to_stop_ends(start):
    program = start(
        """
        runner = ez.GraphRunner(PAIR=Pair())
        runner.start()
        say("forgets")
        """
    )
    assert program.ends() == 0
    assert program.says("shutdown PAIR/TICKER")
    assert "Traceback" not in program.errors


def test_a_program_that_fails_before_it_stops_ends(start):
    program = start(
        """
        runner = ez.GraphRunner(PAIR=Pair())
        runner.start()
        raise OSError("a mistake")
        """
    )
    assert program.ends() == 1
    assert "a mistake" in program.errors


def test_a_worker_that_dies_is_told_in_the_log(start):
    program = start(
        """
        runner = ez.GraphRunner(PAIR=Pair())
        runner.start()
        runner.processes[0].kill()
        runner._supervisor.join(30)
        assert not runner.running
        runner.stop()
        """
    )
    assert program.ends() == 0
    assert "was ended by SIGKILL" in program.errors


def test_arguments_that_do_not_go_together_are_refused(start):
    program = start(
        """
        try:
            ez.GraphRunner({"A": Here()}, B=Here())
        except ValueError as error:
            say("refused", error)
        try:
            ez.GraphRunner(A="nothing to run").start()
        except TypeError as error:
            say("refused", error)
        unit = Here()
        runner = ez.GraphRunner(A=unit)
        runner.start()
        runner.stop()
        try:
            ez.GraphRunner(A=unit).start()
        except AssertionError as error:
            say("refused", error)
        """
    )
    assert program.ends() == 0
    assert program.says("refused", 3)


def test_strict_shutdown_is_kept_in_the_environment(start):
    program = start(
        """
        runner = ez.GraphRunner(HERE=Here())
        assert not runner.strict_shutdown
        runner.strict_shutdown = True
        assert runner.strict_shutdown
        assert os.environ["EZMSG_STRICT_SHUTDOWN"] == "1"
        runner.strict_shutdown = False
        assert not runner.strict_shutdown
        """
    )
    assert program.ends() == 0


def test_a_graph_is_resolved_when_it_starts_and_not_before(start):
    program = start(
        """
        class Wrong(ez.Collection):
            ONLY = Counter()

            def network(self):
                raise KeyError("no such stream")

        pair = Pair()
        unused = ez.GraphRunner(PAIR=pair)
        assert unused.connections == []
        runner = ez.GraphRunner(PAIR=pair)
        runner.start()
        assert runner.connections == [("PAIR/TICKER/OUTPUT", "PAIR/LISTENER/INPUT")]
        runner.stop()

        runner = ez.GraphRunner(WRONG=Wrong())
        try:
            runner.start()
        except KeyError as error:
            say("start raises", error)
        runner.stop()
        """
    )
    assert program.ends() == 0
    assert program.says("start raises")


def test_what_was_looked_at_can_run(start):
    program = start(
        """
        from ezmsg.core.backend import ExecutionContext

        pair = Pair()
        for _ in range(2):
            context = ExecutionContext.setup({"PAIR": pair}, root_name="ROOT")
            say("looked", *context.connections[0])
        runner = ez.GraphRunner({"PAIR": pair}, root_name="ROOT")
        runner.start()
        say("runs", *runner.connections[0])
        runner.stop()
        try:
            ez.GraphRunner({"PAIR": pair}, root_name="ROOT").start()
        except AssertionError as error:
            say("again", error)
        """
    )
    assert program.ends() == 0
    assert program.says("looked ROOT/PAIR/TICKER/OUTPUT", 2)
    assert program.says("runs ROOT/PAIR/TICKER/OUTPUT")
    assert program.says("again")
