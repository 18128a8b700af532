"""How the application begins, in whatever terminal this process has, or for a browser."""

import gc
import os


def show(address: str | None) -> int:
    """Run the application; return its exit code.

    :param address: the graph server, ``HOST:PORT``; ``None`` looks for it.
    """
    if "TEXTUAL_DRIVER" not in os.environ:  # which tells the size of a browser's window in the same variables
        for variable in ("COLUMNS", "LINES"):  # programs leave behind in them how large a terminal once was
            os.environ.pop(variable, None)
    # What is imported is no garbage: to look for some in it would take a tenth of the time until the first picture.
    gc.disable()
    from ezmsg.tui.app import TopApp

    gc.freeze()
    gc.enable()
    app = TopApp(address)
    app.run()
    gc.freeze()  # nor does it have to be looked through when the process ends
    return app.return_code or 0
