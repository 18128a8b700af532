"""Stacks as people read them."""

from uuid import UUID

from ezmsg.control.rendering.stacks import folded_lines, stack_lines
from ezmsg.protocol.model.stacks import ProcessStacks, StackFrame, TaskStack, ThreadStack

WATCH = StackFrame("/lib/worker.py", 254, "Worker._watch", "await coroutine")
SLEEP = StackFrame("/lab/decoder.py", 88, "Decoder.on_message", "time.sleep(1)")
FOREIGN = StackFrame("<made>", None, "go")


def test_stacks() -> None:
    stacks = ProcessStacks(
        UUID(int=1),
        4188,
        "lab3",
        0.0,
        [
            TaskStack("DEMO/DECODE/INPUT", None, 11, [WATCH, SLEEP], 1),
            TaskStack("DEMO/DECODE:watch", "Future", None, [WATCH]),
            TaskStack("Task-1", None),
        ],
        [ThreadStack("Units", 11, False, [WATCH, SLEEP], 2), ThreadStack("", 12, None, [FOREIGN])],
        tasks_left_out=1,
        threads_left_out=3,
    )
    assert list(stack_lines(stacks)) == [
        "pid 4188 on lab3   4 tasks on the units' event loop, 5 threads",
        "",
        "task DEMO/DECODE/INPUT   runs now, in thread Units",
        "  (1 outer frame left out)",
        '  File "/lib/worker.py", line 254, in Worker._watch',
        "    await coroutine",
        '  File "/lab/decoder.py", line 88, in Decoder.on_message',
        "    time.sleep(1)",
        "",
        "task DEMO/DECODE:watch   awaits Future",
        '  File "/lib/worker.py", line 254, in Worker._watch',
        "    await coroutine",
        "",
        "task Task-1   is about to run",
        "",
        "(1 more task left out)",
        "",
        "thread Units   11",
        "  (2 outer frames left out)",
        '  File "/lib/worker.py", line 254, in Worker._watch',
        "    await coroutine",
        '  File "/lab/decoder.py", line 88, in Decoder.on_message',
        "    time.sleep(1)",
        "",
        "thread 12   not started by Python",
        '  File "<made>", in go',
        "",
        "(3 more threads left out)",
    ]


def test_a_task_in_a_thread_that_is_not_told() -> None:
    stacks = ProcessStacks(UUID(int=1), 1, "lab3", 0.0, [TaskStack("A:go", None, 7)])
    assert list(stack_lines(stacks)) == [
        "pid 1 on lab3   1 task on the units' event loop, 0 threads",
        "",
        "task A:go   runs now, in thread 7",
    ]


def test_nothing_of_the_program_steers_the_terminal() -> None:
    red = StackFrame("/lab/a.py", 1, "go", "say('\x1b[31m') \udcff")
    stacks = ProcessStacks(
        UUID(int=1),
        1,
        "lab3",
        0.0,
        [TaskStack("A:x\n\x1b[2Jtask B:y", "task \r", None, [red])],
        [ThreadStack("\a", 7, False)],
    )
    assert list(stack_lines(stacks)) == [
        "pid 1 on lab3   1 task on the units' event loop, 1 thread",
        "",
        r"task A:x\n\x1b[2Jtask B:y   awaits task \r",
        '  File "/lab/a.py", line 1, in go',
        r"    say('\x1b[31m') \udcff",
        "",
        r"thread \x07   7",
    ]


CORE = StackFrame("/venv/lib/python3.11/site-packages/ezmsg/core/runtime/tasks.py", 5, "_call", "await function()")
LIBRARY = StackFrame("/usr/lib/python3.11/asyncio/tasks.py", 639, "sleep", "return await future")
WINDOWS = StackFrame("C:\\Python311\\Lib\\threading.py", 324, "wait", "")
NUMPY = StackFrame("/venv/lib/python3.11/site-packages/numpy/linalg.py", 7, "svd", "")
DEMO = StackFrame("/venv/lib/python3.11/site-packages/ezmsg/core/demo/units.py", 55, "Source.play", "")


def test_folded_stacks_are_what_the_program_itself_does() -> None:
    stacks = ProcessStacks(
        UUID(int=1),
        4188,
        "lab3",
        0.0,
        [
            TaskStack("DECODE:go", None, 11, [CORE, SLEEP, NUMPY], 1),
            TaskStack("SOURCE:play", "Future", None, [CORE, DEMO, LIBRARY]),
            TaskStack("SCREEN/INPUT", "Future", None, [CORE, LIBRARY]),
        ],
        [
            ThreadStack("Units", 11, False, [LIBRARY, CORE, SLEEP, NUMPY]),
            ThreadStack("MainThread", 10, False, [SLEEP, WINDOWS]),
            ThreadStack("Control", 12, True, [LIBRARY, CORE]),
        ],
        tasks_left_out=1,
    )
    assert list(folded_lines(stacks)) == [
        "pid 4188 on lab3   4 tasks on the units' event loop, 3 threads",
        "",
        "task DECODE:go   runs now, in thread Units",
        '  File "/lab/decoder.py", line 88, in Decoder.on_message',
        "    time.sleep(1)",
        '  File "/venv/lib/python3.11/site-packages/numpy/linalg.py", line 7, in svd',
        "  (2 frames of ezmsg and Python)",
        "",
        "task SOURCE:play   awaits Future",
        '  File "/venv/lib/python3.11/site-packages/ezmsg/core/demo/units.py", line 55, in Source.play',
        "  (2 frames of ezmsg and Python)",
        "",
        "thread MainThread   10",
        '  File "/lab/decoder.py", line 88, in Decoder.on_message',
        "    time.sleep(1)",
        "  (1 frame of ezmsg and Python)",
        "",
        "(2 tasks and 1 thread with nothing of the program's own; all of it: --all)",
    ]
