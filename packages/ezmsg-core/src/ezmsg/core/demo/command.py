"""``ezmsg demo``: the demo's graph, run from the command line."""

import contextlib
import logging
import os
import sys
from typing import Literal

RECORD_S = 300
"""How long the record is, in seconds; reading it for that would take NumPy."""


SECONDS, LONG_SECONDS = 20.0, 300.0
"""How much is played if nobody says so; more, where somebody is to look round meanwhile."""


def demo(
    *,
    seconds: float | None = None,
    speed: Literal["real", "max"] = "real",
    json: bool = False,
    slow: bool = False,
    top: bool = False,
) -> int:
    """Run a live graph on a real electrocardiogram: source, filter, beat detector and display.

    Ctrl-C ends it before, with a summary of what was played. For example a minute, and a setting to be changed
    meanwhile in another terminal; or with the terminal application on it, and a unit that is too slow to be found:

    ezmsg demo --seconds 60

    ezmsg settings set ECG/FILTER low_hz=8

    ezmsg demo --top --slow

    Parameters
    ----------
    seconds
        How much of the record to play, at most its 300 seconds. Default: 20, and with --top or --slow all of it.
    speed
        "real" plays at the pace of the heart, "max" as fast as the graph can.
    json
        Write one JSON object a line: every beat, then a summary.
    slow
        Have a unit in the graph that is too slow, so that others wait for it.
    top
        Open the terminal application on it, in place of the live line; the demo ends with it.
    """
    if seconds is None:
        seconds = LONG_SECONDS if top or slow else SECONDS
    if not seconds > 0:
        print(f"ezmsg: --seconds {seconds:g} plays nothing. Give a positive number of seconds.", file=sys.stderr)
        return 2
    if seconds > RECORD_S:
        what = f"--seconds {seconds:g} is more than the record has. Give at most {RECORD_S}"
        print(f"ezmsg: {what}.", file=sys.stderr)
        return 2
    if top:
        from ezmsg.core.demo.watched import watch

        return watch(seconds, speed, slow=slow)
    _quieten(full_speed=speed == "max" or slow)
    from ezmsg.core.demo.display import SYMBOLS, JsonDisplay, LiveDisplay, PlainDisplay
    from ezmsg.core.demo.slow import SlowEcg
    from ezmsg.core.demo.units import Ecg, SourceSettings
    from ezmsg.core.runtime.run import run
    from ezmsg.protocol.errors import EzmsgError

    if json:
        display: JsonDisplay | PlainDisplay = JsonDisplay()
    else:
        display = LiveDisplay() if sys.stdout.isatty() and _can_write(SYMBOLS) else PlainDisplay()
    try:
        settings = SourceSettings(seconds=seconds, real_time=speed == "real")
        run(ECG=(SlowEcg if slow else Ecg)(settings, display))
        display.sum_up()
    except EzmsgError as error:  # some of which are errors of the system, too
        print(f"ezmsg: {error}", file=sys.stderr)
        return 1
    except OSError:  # the display keeps it
        pass
    finally:
        with contextlib.suppress(OSError):
            display.close()
    return 0 if display.error is None else _tell_output_error(display.error)


def _can_write(symbols: str) -> bool:
    try:
        symbols.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return False
    return True


def _tell_output_error(error: OSError) -> int:
    if not isinstance(error, BrokenPipeError):  # that one only means that the reader has had enough
        print(f"ezmsg: The demo's output could not be written: {error.strerror}.", file=sys.stderr)
    # What is left in the buffer goes nowhere, so that the interpreter does not stumble over it at its end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _quieten(*, full_speed: bool) -> None:
    """Keep what is no news here off the terminal, in this process and in the workers."""
    if "EZMSG_LOGLEVEL" not in os.environ:
        os.environ["EZMSG_LOGLEVEL"] = "WARNING"
        logging.getLogger("ezmsg").setLevel(logging.WARNING)
    if full_speed:  # back-pressure is what paces it
        os.environ.setdefault("EZMSG_DISABLE_BACKPRESSURE_WARNING", "1")
