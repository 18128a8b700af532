"""``ezmsg completion``: a script by which a shell completes verbs and options."""

from typing import Annotated, Literal

from cyclopts import Parameter

from ezmsg.control.cli.saying import note

Shell = Literal["bash", "zsh", "fish"]

_HOW: dict[Shell, str] = {
    "bash": 'eval "$(ezmsg completion bash)" in ~/.bashrc',
    "zsh": "ezmsg completion zsh > ~/.zfunc/_ezmsg, where ~/.zfunc is in fpath",
    "fish": "ezmsg completion fish > ~/.config/fish/completions/ezmsg.fish",
}


def completion(shell: Annotated[Shell, Parameter(help="The shell: bash, zsh or fish.")], /) -> int:
    """Write the script by which a shell completes the verbs and options of all that is installed.

    For example, in ~/.bashrc:

    eval "$(ezmsg completion bash)"
    """
    import sys

    from cyclopts import App

    from ezmsg.control.cli.verbs import known_verbs, load

    app = App(name="ezmsg", help_format="plaintext")
    for name, verb in load(known_verbs()).items():
        app.command(verb, name=name)
    print(app.generate_completion(shell=shell))
    if sys.stdout.isatty():
        note(f"To have it in every shell: {_HOW[shell]}")
    return 0
