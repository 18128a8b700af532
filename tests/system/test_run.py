"""`ez.run` as a program calls it: what runs, where, in which order, and how it comes to a good end."""

import re

import pytest

START_METHODS = pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])


def test_one_process_runs_its_units_and_ends_when_one_says_so(start):
    program = start(
        """
        counter, printer = Counter(count=10), Printer(count=10)
        ez.run(COUNTER=counter, PRINTER=printer, connections=((counter.OUTPUT, printer.INPUT),))
        say("after")
        """
    )
    assert program.ends() == 0
    assert program.out[1:] == ["seen PRINTER 0 1 2 3 4 5 6 7 8 9\n", "shutdown PRINTER\n", "after\n"]
    assert program.says("initialize")[2] == str(program.pid)


@START_METHODS
def test_what_is_listed_has_a_process_of_its_own(start, method):
    program = start(
        f"""
        if __name__ == "__main__":
            start_as("{method}")
            counter, printer, other = Counter(count=1000), Printer(count=1000), Printer(count=2)
            ez.run(
                {{"COUNTER": counter, "PRINTER": printer, "OTHER": other}},
                root_name="ROOT",
                connections=((counter.OUTPUT, printer.INPUT),),
                process_components=(printer,),
            )
        """
    )
    assert program.ends() == 0
    pids = {line.split()[1]: line.split()[2] for line in program.out if line.startswith("initialize")}
    assert pids["ROOT/OTHER"] == str(program.pid) != pids["ROOT/PRINTER"]
    assert program.says("seen")[2:] == [str(number) for number in range(1000)]
    assert sorted(line for line in program.out if line.startswith("shutdown")) == [
        "shutdown ROOT/OTHER\n",
        "shutdown ROOT/PRINTER\n",
    ]


def test_force_single_process_keeps_everything_together(start):
    program = start(
        """
        counter, printer = Counter(count=3), Printer(count=3)
        ez.run(
            COUNTER=counter, PRINTER=printer, connections=((counter.OUTPUT, printer.INPUT),),
            process_components=(counter, printer), force_single_process=True,
        )
        """
    )
    assert program.ends() == 0
    assert program.says("initialize")[2] == str(program.pid)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_collections_in_collections_with_settings_and_state(start, method):
    program = start(
        f"""
        class Inner(ez.Collection):
            SETTINGS = CountSettings
            OUTPUT = ez.OutputTopic(int)
            COUNTER = Counter()

            def configure(self):
                say("configure", self.address)
                self.COUNTER.apply_settings(self.SETTINGS)

            def network(self):
                say("network", self.address)
                return ((self.COUNTER.OUTPUT, self.OUTPUT),)

            def process_components(self):
                say("process_components", self.address)
                return (self.COUNTER,)

        class Outer(ez.Collection):
            SETTINGS = CountSettings
            INNER = Inner()
            PRINTER = Printer()

            def configure(self):
                say("configure", self.address)
                self.INNER.apply_settings(self.SETTINGS)
                self.PRINTER.apply_settings(self.SETTINGS)

            def network(self):
                say("network", self.address)
                return ((self.INNER.OUTPUT, self.PRINTER.INPUT),)

            def process_components(self):
                say("process_components", self.address)
                return (self.INNER, self.PRINTER)

        if __name__ == "__main__":
            start_as("{method}")
            ez.run(OUTER=Outer(CountSettings(count=4)))
        """
    )
    assert program.ends() == 0
    *crawled, initialize, seen, shutdown = program.out
    assert [re.sub(r"process_.*", "process", line.strip()) for line in crawled] == [
        "network OUTER",
        "network OUTER/INNER",
        "process",
        "process",
        "configure OUTER",
        "configure OUTER/INNER",
    ]
    assert initialize.startswith("initialize OUTER/PRINTER")
    assert (seen, shutdown) == ("seen OUTER/PRINTER 0 1 2 3\n", "shutdown OUTER/PRINTER\n")


def test_the_order_of_a_units_life_and_functions_that_are_no_coroutines(start):
    program = start(
        """
        class Unit(ez.Unit):
            INPUT = ez.InputStream(int)
            OUTPUT = ez.OutputStream(int)

            def initialize(self):
                say("initialize", threading.current_thread().name)

            @ez.publisher(OUTPUT)
            async def send(self):
                yield self.OUTPUT, 1

            @ez.task
            def once(self):
                say("task")

            @ez.subscriber(INPUT)
            def take(self, number):
                say("take", number)
                raise ez.NormalTermination

            def shutdown(self):
                say("shutdown")

        unit = Unit()
        ez.run(UNIT=unit, connections=((unit.OUTPUT, unit.INPUT),))
        """
    )
    # A topic may lead to another of the same unit, as long as messages do not come back to where they started.
    assert program.ends() == 0
    assert program.out[0] == "initialize TaskThread\n"
    assert program.out[-1] == "shutdown\n"
    assert sorted(program.out[1:-1]) == ["take 1\n", "task\n"]


@pytest.mark.parametrize("listed", ["", "unit"])
def test_main_runs_on_the_main_thread_and_the_run_goes_on_until_it_returns(start, listed):
    program = start(
        f"""
        warnings.simplefilter("ignore")

        class Unit(ez.Unit):
            released = threading.Event()

            @ez.main
            def begin(self):
                say("main", threading.current_thread() is threading.main_thread(), os.getpid())
                assert self.released.wait(30)
                say("main over")

            @ez.thread
            def other(self):
                say("thread", threading.current_thread() is threading.main_thread())
                self.released.set()

            async def shutdown(self):
                say("shutdown")

        unit, other = Unit(), Printer(count=1)
        ez.run(UNIT=unit, process_components=({listed + "," if listed else ""}))
        """
    )
    assert program.ends() == 0
    assert program.says("main")[1] == "True"
    assert program.says("thread")[1] == "False"
    assert program.out[-2:] == ["main over\n", "shutdown\n"]


def test_two_mains_in_one_process_are_refused_before_anything_runs(start):
    program = start(
        """
        class Unit(ez.Unit):
            async def initialize(self):
                say("initialize")

            @ez.main
            def begin(self):
                say("main")

        ez.run(A=Unit(), B=Unit())
        """
    )
    assert program.ends() == 1
    assert program.out == []
    assert "A:begin, B:begin" in program.errors


@pytest.mark.parametrize(("listed", "method"), [("", "fork"), ("last,", "fork"), ("last,", "spawn")])
def test_normal_termination_from_any_process_ends_all(start, listed, method):
    program = start(
        f"""
        if __name__ == "__main__":
            start_as("{method}")
            last = Counter(count=5, ends_run=True)
            ez.run(PAIR=Pair(), HERE=Here(), LAST=last, process_components=({listed}))
            say("after")
        """
    )
    assert program.ends() == 0
    assert program.out[-1] == "after\n"
    addresses = ("HERE", "PAIR/TICKER", "PAIR/LISTENER")
    assert {f"shutdown {address}\n" for address in addresses} <= set(program.out)
    assert program.errors.count("ERROR") == 0


def test_a_run_whose_tasks_are_all_done_is_over(start):
    program = start(
        """
        class Once(ez.Unit):
            @ez.task
            async def once(self):
                say("once", self.address)

        a, b = Once(), Once()
        ez.run(A=a, B=b, C=Counter(count=3), process_components=(a,))
        """
    )
    assert program.ends() == 0
    assert sorted(program.out) == ["once A\n", "once B\n"]


def test_units_without_tasks_are_over_at_once_and_no_units_are_told(start):
    program = start(
        """
        class Empty(ez.Unit):
            async def shutdown(self):
                say("shutdown", self.address)

        a, b = Empty(), Empty()
        ez.run(A=a, B=b, process_components=(a, b))
        ez.run()
        """
    )
    assert program.ends() == 0
    assert sorted(program.out) == ["shutdown A\n", "shutdown B\n"]
    assert "nothing to run" in program.errors


def test_a_subscriber_that_is_complete_stops_and_others_go_on(start):
    program = start(
        """
        class Sink(ez.Unit):
            INPUT = ez.InputStream(int)
            OTHER = ez.InputStream(int)

            @ez.subscriber(INPUT)
            async def some(self, number):
                say("some", number)
                if number == 2:
                    raise ez.Complete

            @ez.subscriber(OTHER)
            async def rest(self, number):
                if number == 99:
                    say("all")
                    raise ez.Complete

        counter, sink = Counter(count=100), Sink()
        ez.run(
            COUNTER=counter, SINK=sink,
            connections=((counter.OUTPUT, sink.INPUT), (counter.OUTPUT, sink.OTHER)),
        )
        """
    )
    assert program.ends() == 0
    assert program.out == ["some 0\n", "some 1\n", "some 2\n", "all\n"]


def test_normal_termination_in_main_ends_the_run(start):
    program = start(
        """
        class Window(ez.Unit):
            @ez.main
            def show(self):
                raise ez.NormalTermination

        ez.run(TICKER=Ticker(), WINDOW=Window())
        say("after")
        """
    )
    assert program.ends() == 0
    assert program.out[-1] == "after\n"


def test_normal_termination_in_a_thread_ends_the_run(start):
    program = start(
        """
        warnings.simplefilter("ignore")

        class Worker(ez.Unit):
            @ez.thread
            def work(self):
                raise ez.NormalTermination

        worker = Worker()
        ez.run(TICKER=Ticker(), WORKER=worker, process_components=(worker,))
        """
    )
    assert program.ends() == 0


def test_a_main_that_goes_on_after_everything_is_interrupted_before_its_unit_is_shut_down(start, tmp_path):
    go = tmp_path / "go"
    program = start(
        """
        from ezmsg.core.runtime import worker

        worker.MAIN_LIMIT_S = 0.2

        class Window(ez.Unit):
            @ez.main
            def show(self):
                try:
                    say("main")
                    while True:
                        time.sleep(60)
                finally:
                    say("main over")

            async def shutdown(self):
                say("shutdown")

        window = Window()
        ez.run(LAST=Last(), WINDOW=window, process_components=(window,))
        """,
        str(go),
    )
    program.says("main")
    go.touch()
    assert program.ends() == 0
    assert program.out == ["main\n", "main over\n", "shutdown\n"]
    assert "WINDOW:show goes on after everything else" in program.errors


def test_a_leaky_inlet_gets_the_newest_and_never_holds_up_the_source(start):
    program = start(
        """
        class Slow(ez.Unit):
            INPUT = ez.InputStream(int, leaky=True)

            @ez.subscriber(INPUT)
            async def take(self, number):
                say("took", number)
                if number == 9999:
                    raise ez.NormalTermination
                await asyncio.sleep(0.05)

        counter, slow = Counter(count=10000), Slow()
        ez.run(
            COUNTER=counter, SLOW=slow, connections=((counter.OUTPUT, slow.INPUT),), process_components=(slow,)
        )
        """
    )
    assert program.ends() == 0
    taken = [int(line.split()[1]) for line in program.out]
    assert taken == sorted(taken)
    assert taken[-1] == 9999
    assert len(taken) < 10000


def test_run_may_be_called_again_with_other_components(start):
    program = start(
        """
        for _ in range(2):
            counter, printer = Counter(count=2), Printer(count=2)
            ez.run(
                COUNTER=counter, PRINTER=printer, connections=((counter.OUTPUT, printer.INPUT),),
                process_components=(counter,),
            )
        """
    )
    assert program.ends() == 0
    assert program.out.count("seen PRINTER 0 1\n") == 2


def test_run_on_another_thread(start):
    program = start(
        """
        def body():
            counter, printer = Counter(count=2), Printer(count=2)
            ez.run(
                COUNTER=counter, PRINTER=printer, connections=((counter.OUTPUT, printer.INPUT),),
                process_components=(counter,),
            )

        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        """
    )
    assert program.ends() == 0
    assert program.says("seen")


def test_a_single_component_is_named_system_and_deprecated(start):
    program = start('ez.run(Printer(count=1), connections=(("TOPIC", "SYSTEM/INPUT"), ("X", "Y")))')
    program.says("initialize SYSTEM")
    program.process.terminate()
    assert program.ends() == 143
    assert "run(component) is deprecated" in program.errors
