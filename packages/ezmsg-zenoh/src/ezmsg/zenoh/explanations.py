"""What `ezmsg explain` says of the errors of this distribution beside what their classes say: why, what next."""

import ezmsg.zenoh.errors  # noqa: F401  so that its classes are known by their codes

EXPLANATIONS: dict[str, tuple[str, str]] = {
    "EZ-5030": (
        (
            "EZMSG_ZENOH_CONFIG names a file that is not there or not of Zenoh's form, its certificates do not "
            "fit, or the router that it names does not answer."
        ),
        "Start the router, and try the file with a program of Zenoh's own; without one, peers find each other.",
    ),
    "EZ-5031": (
        "Two servers were started under one name while neither saw the other, as the network was cut.",
        "End one of them: ezmsg server stop --address HOST:PORT on its host. Its programs then join the other.",
    ),
}
