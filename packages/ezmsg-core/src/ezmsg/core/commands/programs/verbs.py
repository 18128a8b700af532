"""``ezmsg run`` and ``ezmsg components``: read for ``ezmsg --help``, and slow only when they are carried out."""

from ezmsg.control.cli.grouping import group
from ezmsg.control.cli.options import AddressOption, JsonOption
from ezmsg.control.cli.saying import note, say, say_json


def run(
    target: str,
    /,
    *settings: str,
    name: str | None = None,
    root: str | None = None,
    address: AddressOption = None,
) -> int:
    """Run a program, or a single component with the settings given, until it ends. Ctrl-C ends it in good order.

    The target is a FILE, which is run as Python does; FILE:OBJECT or MODULE:OBJECT, a class or instance of a unit
    or collection, a function that makes one, or a GraphRunner; or a component's name, of those that `ezmsg
    components` lists. Settings are NAME=VALUE; what follows -- is the program's. For example:

    ezmsg run first.py

    ezmsg run sigproc.ButterworthFilter order=4 cutoff=30

    Parameters
    ----------
    target
        What to run.
    settings
        Settings of the component, as NAME=VALUE; arguments of a program.
    name
        The component's name in the graph; else that of its class.
    root
        What stands before every address.
    """
    from ezmsg.core.commands.programs.running import run_target
    from ezmsg.protocol.addresses import parse_address

    place = None if address is None else parse_address(address)
    return run_target(target, list(settings), name=name, root=root, address=place)


def list_components(*, json: JsonOption = False) -> int:
    """List the components that installed distributions register, without importing them.

    For example:

    ezmsg components
    """
    from ezmsg.core.commands.programs.listing import component_forms, component_lines
    from ezmsg.core.commands.programs.loading import registered

    known = registered()
    if json:
        head = {"$schema": "ezmsg.components/1"}
        for form in component_forms(known):
            say_json({**head, **form})
            head = {}
        return 0
    say(component_lines(known))
    if not known:
        note("No distribution that is installed registers a component. For example: pip install ezmsg-sigproc")
    return 0


def show_component(name: str, /, *, json: JsonOption = False) -> int:
    """Show one: its streams, its settings with their defaults, and how it is run. It is imported for that.

    For example:

    ezmsg components info sigproc.ButterworthFilter

    Parameters
    ----------
    name
        Its name, or a beginning that only it has.
    """
    from ezmsg.control.cli.targets import resolved
    from ezmsg.core.commands.programs.listing import info_form, info_lines
    from ezmsg.core.commands.programs.loading import registered

    known = registered()
    full = resolved(name, known, "component that is registered", "a name")
    if json:
        say_json({"$schema": "ezmsg.components.info/1", **info_form(full, known[full])})
        return 0
    say(info_lines(full, known[full]))
    return 0


components = group(
    "components",
    default=list_components,
    verbs={"list": list_components, "info": show_component},
    help="List and show the components that installed distributions register.",
)
