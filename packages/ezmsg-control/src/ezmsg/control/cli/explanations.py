"""What `ezmsg explain` says of the errors of this distribution beside what their classes say: why, what next."""

import ezmsg.control.errors  # noqa: F401  so that its classes are known by their codes

EXPLANATIONS: dict[str, tuple[str, str]] = {
    "EZ-4001": (
        "A stream of events keeps what was not read up to a limit; the reader was slower than that.",
        "Follow again from the last sequence number that was read. Do slow work in another task or thread.",
    ),
    "EZ-4002": (
        "Nothing here waits without end, so a time has to be a finite number that is not negative.",
        "Give a number of seconds from 0 on.",
    ),
    "EZ-4003": (
        "A drawing was asked for in a language that is not known here.",
        "Take one of those in the text.",
    ),
    "EZ-4004": (
        "A process speaks with the server between connect() and close(), and this was before or after.",
        "Call connect() first, and close() last.",
    ),
    "EZ-4005": (
        (
            "The question reached the server, but the process of the unit did not answer, does not know the "
            "question, or met an error. The word in brackets says which."
        ),
        (
            "TIMEOUT: see `ezmsg process` whether it is busy. UNROUTABLE_UNIT: nobody owns the unit. Others: "
            "its log says more."
        ),
    ),
    "EZ-4006": (
        (
            "A process answered in another form than the caller asked for: another release, or a handler of "
            "one's own."
        ),
        "Ask for the type that the handler sends, or for bytes.",
    ),
    "EZ-4007": (
        "Settings come to a running unit through an InputStream of the name INPUT_SETTINGS, and it has none.",
        "Give its class such a stream and a subscriber that applies what comes.",
    ),
    "EZ-4008": (
        "A target may be abbreviated to a beginning that only it has; this one fits nothing, or several.",
        "Take one of those in the text. `ezmsg graph`, `ezmsg unit` and `ezmsg process` show what there is.",
    ),
    "EZ-4009": (
        "Several of your programs brought a server each, and nobody said which is meant.",
        "Name one: --address HOST:PORT, or EZMSG_GRAPHSERVER_ADDR. `ezmsg server status` shows them.",
    ),
    "EZ-4010": (
        "A change is written as FIELD=VALUE; what was given is not, or names a field twice.",
        "Write it like cutoff=60, in quotes if there are blanks or brackets in it.",
    ),
    "EZ-4011": (
        (
            "A change is taken back to what was before it, and that is not known: nothing changed, it was "
            "long ago, or it was too large to be kept."
        ),
        "See `ezmsg settings history COMPONENT`, and set the fields yourself.",
    ),
    "EZ-4012": (
        (
            "The server's process ended before it answered, and the text has its last words, or it has not "
            "answered in the time that it had."
        ),
        (
            "Mend what the text names; `ezmsg server run` with the same options shows all that it says. On a busy "
            "machine allow more time: --timeout."
        ),
    ),
    "EZ-4101": (
        (
            "The settings type says what its field takes, by type, bounds or choices, and the value is "
            "something else."
        ),
        "`ezmsg settings get COMPONENT` shows what each field takes.",
    ),
    "EZ-4102": (
        ("The path leads to no field: misspelt, an index beyond the end, or into something that has no fields."),
        "`ezmsg settings describe COMPONENT` shows every path.",
    ),
    "EZ-4103": (
        (
            "The value has the right form, but a check in the settings type itself says no; fields may depend"
            " on each other."
        ),
        "The text has the reason. Set fields that depend on each other in one command.",
    ),
    "EZ-4104": (
        "The unit subscribes to no settings, so that they hold from its start to its end.",
        "Change them in the program and start it again, or give the unit an INPUT_SETTINGS.",
    ),
    "EZ-4301": (
        ("What is counted is looked at twice, with a time between, and that time has to be a finite one above 0."),
        "Give --window or --seconds a number such as 2.",
    ),
    "EZ-4302": (
        "Only a publisher waits for others, and none that answers is on this topic.",
        "Take a topic of those in the text; `ezmsg topic hz` shows which publish.",
    ),
    "EZ-4303": (
        "Some ways to write a file need a package that is not installed with the rest.",
        "Install what the text names.",
    ),
    "EZ-4401": (
        (
            "The public package and ours have files of the same names; the one that was installed last lies "
            "over the other."
        ),
        "Uninstall the public one and install ours again, as the text says; `ezmsg doctor` checks it.",
    ),
}
