"""Handlers for programs that set up their log themselves: two streams that share it."""

import io
import logging

from ezmsg.core.support.log_handlers import (
    AtOrAboveLevelFilter,
    BelowLevelFilter,
    create_ezmsg_stderr_handler,
    create_ezmsg_stdout_handler,
)


def test_each_line_goes_to_one_of_the_two() -> None:
    out, err = io.StringIO(), io.StringIO()
    logger = logging.Logger("apart")
    for handler in (create_ezmsg_stdout_handler(out), create_ezmsg_stderr_handler(err)):
        logger.addHandler(handler)
    logger.info("news")
    logger.warning("bad news")
    assert out.getvalue().rstrip().endswith("- INFO - test_each_line_goes_to_one_of_the_two: news")
    assert "- pid: " in out.getvalue()
    assert err.getvalue().rstrip().endswith(": bad news")


def test_levels_are_let_through_from_one_side() -> None:
    record = logging.LogRecord("ezmsg", logging.WARNING, "", 0, "", None, None)
    assert not BelowLevelFilter(logging.WARNING).filter(record)
    assert AtOrAboveLevelFilter(logging.WARNING).filter(record)
