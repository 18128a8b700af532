"""`run(backend_process=...)`: the program's own class runs the units, in every process."""

import signal

import pytest


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_it_is_called_in_every_process_and_runs_the_units(start, method):
    program = start(
        f"""
        if __name__ == "__main__":
            start_as("{method}")
            counter, printer = Counter(count=3), Printer(count=3)
            ez.run(
                COUNTER=counter,
                PRINTER=printer,
                connections=((counter.OUTPUT, printer.INPUT),),
                process_components=(printer,),
                backend_process=Loud,
            )
            say("done")
        """
    )
    assert program.ends() == 0
    of_counter, of_printer = program.says("before COUNTER"), program.says("before PRINTER")
    assert int(of_counter[2]) == program.pid != int(of_printer[2])
    assert program.says("after True COUNTER")
    assert program.says("after True PRINTER")
    assert program.says("greets TaskThread", 4)
    order = [line.partition(" ")[0] for line in program.out if "PRINTER" in line]
    assert order == ["before", "initialize", "seen", "shutdown", "after"]
    assert program.out[-1] == "done\n" or program.out[-1].strip() == "done"


def test_a_main_runs_inside_it(start):
    program = start(
        """
        class WithMain(ez.Unit):
            @ez.main
            def show(self):
                say("main", threading.current_thread() is threading.main_thread())
                raise ez.NormalTermination

        ez.run(SHOWN=WithMain(), backend_process=Loud)
        """
    )
    assert program.ends() == 0
    assert [line.split()[0] for line in program.out] == ["greets", "before", "main", "greets", "after"]


def test_it_ends_with_a_signal(start):
    program = start("ez.run(PAIR=Pair(), HERE=Here(), backend_process=Loud)")
    program.says("got PAIR/LISTENER 3")
    program.signal(signal.SIGINT, group=True)
    assert program.ends() == 0
    assert program.says("after", 3)


def test_one_that_runs_no_unit_fails_the_run(start):
    program = start("ez.run(HERE=Here(), backend_process=Idle)")
    assert program.ends() == 1
    assert "backend_process Idle: its process() returned and has run no unit" in program.errors


@pytest.mark.parametrize("listed", ["()", "(here,)"])
def test_one_that_raises_fails_the_run(start, listed):
    program = start(
        f"""
        here, pair = Here(), Pair()
        ez.run(PAIR=pair, HERE=here, process_components={listed}, backend_process=Failing)
        """
    )
    assert program.ends() == 1
    assert "OSError: no such core" in program.errors


def test_only_such_a_class_is_taken(start):
    program = start(
        """
        for wrong in (Pair, 3, Loud([], [], None, None, None, None)):
            try:
                ez.run(HERE=Here(), backend_process=wrong)
            except ValueError as error:
                say(error)
        """
    )
    assert program.ends() == 0
    assert len(program.out) == 3
    assert "derive a class from ezmsg.core.backendprocess.DefaultBackendProcess" in program.out[0]
