"""What `ezmsg explain` says of the errors of this distribution beside what their classes say: why, what next."""

import ezmsg.core.errors  # noqa: F401  so that its classes are known by their codes

EXPLANATIONS: dict[str, tuple[str, str]] = {
    "EZ-5001": (
        (
            "Between processes a message has to become bytes. Something in it cannot be pickled: an open "
            "file, a lock, a generator, a class that is defined inside a function."
        ),
        "Publish arrays, bytes or plain data classes, or keep both ends in one process.",
    ),
    "EZ-5002": (
        "It was closed, or the context in which it was made has ended.",
        "Make a new one to go on.",
    ),
    "EZ-5003": (
        "An option of a stream, a publisher or a program is outside what it can be.",
        "The text says what would be possible.",
    ),
    "EZ-5004": (
        "The process at the other end was killed, crashed, or lost its network.",
        (
            "What had arrived can still be read. Look into the log of that process, and start it again; "
            'run(dead_worker="restart(3)") does so by itself. A subscriber is told by recv(peer_lost="raise").'
        ),
    ),
    "EZ-5005": (
        (
            "The two ends do not agree: another key, another release, or a port at which somebody else "
            "listens by now."
        ),
        "Bring both to one release, and see with `ezmsg doctor` whether one of them was started anew.",
    ),
    "EZ-5006": (
        "Unpickling can run code, and whoever runs this process has forbidden it with EZMSG_FORBID_PICKLE.",
        ("Send arrays or bytes, register an encoding for the type, or allow pickle where all peers are trusted."),
    ),
    "EZ-5007": (
        (
            "What was to be mapped is not what its publisher announced: it was truncated, replaced, or of "
            "another user."
        ),
        "Both ends fall back to TCP where they can. If it happens again, please report it.",
    ),
    "EZ-5008": (
        "An encoding of one's own has to be registered in each process, and in this one it is not.",
        (
            "Register it where all processes import it, before the first message; distributions do so by "
            "entry point."
        ),
    ),
    "EZ-5009": (
        "Marshal was given a buffer that is too small.",
        "Give it as many bytes as the text says.",
    ),
    "EZ-5010": (
        "These bytes were never written by Marshal, or not to their end.",
        "Read only what Marshal.to_mem has written.",
    ),
    "EZ-5011": (
        "An option of a trace is outside what it can be, or names an endpoint that is not there.",
        "The text says what would be possible; `ezmsg profile snapshot` lists the endpoints.",
    ),
    "EZ-5012": (
        "A dataclass goes in parts, and is put together again by its class, which this process does not have.",
        "Install the package that defines it here, in the same release, and import it under the same name.",
    ),
    "EZ-5020": (
        "The processes run as different users, in different containers, or where memory cannot be shared.",
        "Nothing is lost: they talk over TCP. For speed, run them as one user with one runtime folder.",
    ),
    "EZ-5021": (
        (
            "The memory file system is full: large messages times many buffers, or a container with a small "
            "/dev/shm."
        ),
        "`ezmsg doctor` shows how much is used and free. Use fewer num_buffers, or give it more room.",
    ),
    "EZ-5022": (
        (
            "A subscriber connects to the publisher's own port, and that cannot be reached: firewall, "
            "container, or an address that is of another network."
        ),
        "Let firewalls pass the port, or say where it is reached: publisher(host=, port=).",
    ),
    "EZ-5023": (
        "A publisher asks for a transport by EZMSG_TRANSPORT or transport=, and importing it raises an exception.",
        "The text says which distribution brings it, and what it raised. Install it anew, or ask for none.",
    ),
    "EZ-5024": (
        "Transports have limits of their own: over Zenoh, 4 GiB, or what every host's configuration allows.",
        "Publish parts of it. For Zenoh, raise transport/link/rx/max_message_size on all hosts and routers.",
    ),
    "EZ-5101": (
        "Nobody published in that time, or no edge leads here.",
        "`ezmsg topic info TOPIC` shows what feeds it, and `ezmsg topic hz` whether anything flows.",
    ),
    "EZ-5102": (
        "Back-pressure: all buffers are taken by a subscriber that has not released them.",
        "`ezmsg profile blame TOPIC` names it. Allow more time, more num_buffers, or make it leaky.",
    ),
    "EZ-5103": (
        "A SyncContext works between its `with` and its end, in the process in which it was entered.",
        "Work inside of `with ezmsg.core.sync.init() as context:`.",
    ),
    "EZ-6001": (
        "The settings type has fields without a default, and nobody gave them.",
        "Pass settings to the constructor, or call apply_settings() in the collection's configure().",
    ),
    "EZ-6002": (
        "State without a default has to be there before the first message.",
        "Assign it in initialize(), or give the field a default.",
    ),
    "EZ-6003": (
        "The class, or the graph that is made of it, is put together in a way that cannot run.",
        "The text says what; `ezmsg inspect FILE` shows what is in the file without running it.",
    ),
    "EZ-6004": (
        "An end of a connection has to be a stream of a component, a text, or a member of an enum.",
        "Look at network() of the component that is named.",
    ),
    "EZ-6005": (
        "A decorator goes to a certain kind of function, with streams of the same class.",
        "The text says which; a publisher yields, a subscriber takes the message.",
    ),
    "EZ-6006": (
        "The main thread of a process runs one function that is decorated with @main.",
        "Use @thread for the others, or give each a process of its own.",
    ),
    "EZ-6007": (
        "A component has one place in one graph; the same instance was used twice.",
        "Make another instance for another place or another run.",
    ),
    "EZ-6008": (
        "Addresses are given when a graph is put together.",
        "Ask for it in a running unit, or run the graph first.",
    ),
    "EZ-6201": (
        ("A unit raised an error, or a process died; so that nothing runs on half, all was ended in good order."),
        "The first sentence is the cause, with the unit and the line. The log has the traceback.",
    ),
    "EZ-6202": (
        "A process, a unit or the server did not come up.",
        (
            "The first sentence is the cause. `ezmsg process` shows, while it starts, which initialize() is "
            "waited for."
        ),
    ),
    "EZ-6203": (
        "A runner is started once, and stopped after that.",
        "Make a new one for another run.",
    ),
    "EZ-6301": (
        "A part of ezmsg is a distribution of its own, and not installed here.",
        "Install what it names.",
    ),
    "EZ-6302": (
        "The word is none of those that this command knows.",
        "Take one of those in the text.",
    ),
    "EZ-6303": (
        "The file is not there, is no Python, or raises an error when it is imported.",
        "Run it with Python alone to see the whole traceback.",
    ),
    "EZ-6304": (
        "The name is none of those in the file, or the file has several things that could be run.",
        "Write FILE:OBJECT with one of those in the text.",
    ),
    "EZ-6305": (
        "Fields of the settings have no default, so that they have to be given.",
        "Add them as NAME=VALUE; `ezmsg components info NAME` shows them all.",
    ),
}
