"""What `ezmsg explain` says of the errors of this distribution beside what their classes say: why, what next."""

import ezmsg.zenoh.errors  # noqa: F401  so that its classes are known by their codes

EXPLANATIONS: dict[str, tuple[str, str]] = {
    "EZ-5030": (
        (
            "EZMSG_ZENOH_CONFIG names a file that is not there or not of Zenoh's form, its certificates do not "
            "fit, or the router that it names does not answer."
        ),
        (
            "Start the router, and make the files with `ezmsg zenoh config`, which looks at certificates, too. "
            "RUST_LOG=warn lets Zenoh say what it saw; without a file, peers find each other."
        ),
    ),
    "EZ-5031": (
        (
            "Another program listens there, as another router does, or the address is not one of this machine; "
            "or the file is not there, not of Zenoh's form, or for a client or a peer; or its certificates are not "
            "where it says."
        ),
        "Look with `ss -tlnp` at who listens, and make the file with `ezmsg zenoh config FOLDER --router HOST`.",
    ),
    "EZ-5034": (
        (
            "Whoever a message comes to that is larger than its max_message_size drops it without a word to the "
            "sender: 1 GiB without a file, 4 GiB by `ezmsg zenoh config`. Or the way loses nearly everything."
        ),
        "Compare the configuration files of all hosts and routers; `ezmsg topic bw` shows how large messages are.",
    ),
    "EZ-5032": (
        (
            "What was asked for does not fit together, a certificate is missing for a host or for the name by "
            "which the router is reached, or a file is there already."
        ),
        "Do as the message says; `ezmsg zenoh config --help` has all options.",
    ),
    "EZ-5033": (
        "Two servers were started under one name while neither saw the other, as the network was cut.",
        "End one of them: ezmsg server stop --address HOST:PORT on its host. Its programs then join the other.",
    ),
}
