"""A door: the command line lives in `ezmsg.core.commands.command_line`; kept for ezmsg 3's programs."""

from ezmsg.core.commands.command_line import build_parser, cmdline, main, run_command

__all__ = ["build_parser", "cmdline", "main", "run_command"]
