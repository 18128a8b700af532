"""What `ezmsg explain` says of the errors of this distribution beside what their classes say: why, what next."""

EXPLANATIONS: dict[str, tuple[str, str]] = {
    "EZ-1001": (
        (
            "A frame is one message of the control plane. Before a peer has proved that it has the token, 64 "
            "KiB are allowed, and 64 MiB after; so no stranger can fill the memory. Settings or metadata with"
            " large values in them are the usual cause."
        ),
        (
            "Keep large arrays out of settings and send them on a topic. If that is not possible, raise the "
            "frame limit on both sides."
        ),
    ),
    "EZ-1002": (
        (
            "What came is not msgpack. Something else than ezmsg speaks on that port, or bytes were changed "
            "on the way."
        ),
        (
            "See what listens there: `ezmsg doctor --address HOST:PORT`. A proxy between both has to pass "
            "bytes as they are."
        ),
    ),
    "EZ-1003": (
        ("The two sides are of different releases, and the newer one used something that the older one has not."),
        "Bring both to the same release; `ezmsg --version` and `ezmsg doctor` say which are there.",
    ),
    "EZ-1004": (
        (
            "A message has a field that is missing, or of another type than it should be; the path in the "
            "text names it. A client that is not of ezmsg, or is of a release that was never published, is "
            "the usual cause."
        ),
        ("Compare the versions of both sides with `ezmsg doctor`. If both are of one release, please report it."),
    ),
    "EZ-1005": (
        "A peer said something at a moment when it may not: before its hello, or a second time.",
        "Bring both sides to the same release. If they are, please report it with the log of both.",
    ),
    "EZ-1006": (
        (
            "Both sides tell at the start which revisions of the protocol they speak, and there is none that "
            "both do."
        ),
        "Upgrade the older side; the sentence of the error says which one that is.",
    ),
    "EZ-2001": (
        (
            "Each component's address belongs to one session. The same program was started twice in one "
            "graph, or two programs use the same names."
        ),
        (
            "See whose it is with `ezmsg session`. Give one of the programs a root name of its own, "
            "run(root_name=...), or stop the other."
        ),
    ),
    "EZ-2002": (
        "A unit runs in one process. Two programs use the same address for a unit, or one was started twice.",
        "See who has it with `ezmsg process`. Rename the unit, or stop the other process.",
    ),
    "EZ-2003": (
        (
            "Messages flow in one direction only: a loop of edges could wait for itself for ever, so it is "
            "never made."
        ),
        (
            "The error names the path that leads back. Remove one of its edges, `ezmsg graph disconnect`, or "
            "carry what has to come back in another way, as a setting for example."
        ),
    ),
    "EZ-2004": (
        ("A session lasts as long as its connection; this one was never opened here, has ended, or was dropped."),
        "Enter the GraphContext again. `ezmsg events` shows whether somebody dropped the session.",
    ),
    "EZ-2005": (
        "A topic is a text that is neither empty nor longer than allowed.",
        "Give it another name.",
    ),
    "EZ-2006": (
        "A publisher or subscriber is declared on one connection, and ends with it.",
        "Make it anew. In a program of one's own that speaks the protocol: declare it before it is used.",
    ),
    "EZ-2007": (
        "Ids are made at random and never taken twice; one that was copied, by a fork or from a file, is.",
        "Make a new id after a fork, and do not keep ids in files.",
    ),
    "EZ-2008": (
        (
            "What a program says of its components does not fit together: a stream that is of no component, "
            "for example."
        ),
        "The sentence names what. With components of one's own making, look there; else please report it.",
    ),
    "EZ-2009": (
        ("A process registers before it answers for units. This one has not, or its connection is another by now."),
        "Register first: ProcessControlClient.connect(). `ezmsg process` shows who is registered.",
    ),
    "EZ-2010": (
        (
            "Settings are changed by the process that runs the unit, and there is none at the moment, or it "
            "is leaving."
        ),
        "See with `ezmsg process` who owns the unit, and try again when somebody does.",
    ),
    "EZ-2011": (
        ("Somebody else has changed the settings since you have looked, and you said which revision you expect."),
        ("Look again, `ezmsg settings history COMPONENT`, and decide anew. Without --expect the last one wins."),
    ),
    "EZ-2012": (
        "Only the process that owns a unit can say what it is set to, or answer for it.",
        "Add the unit to the process's own units before it speaks for it.",
    ),
    "EZ-3001": (
        (
            "Nobody listens at that address: no program with a graph runs, it runs elsewhere, or a firewall "
            "is between."
        ),
        (
            "Start your program, which brings a server of its own, or a server alone: `ezmsg server start`. "
            "`ezmsg server status` shows what runs here."
        ),
    ),
    "EZ-3002": (
        (
            "The server has ended, its machine is gone, or the connection was cut. What flows goes on "
            "flowing, since messages do not cross the server."
        ),
        (
            "Programs come back by themselves as soon as it is there again. See what became of it with `ezmsg"
            " server status`."
        ),
    ),
    "EZ-3003": (
        (
            "Both sides prove that they hold the same token. Yours is another, or none: a server of another "
            "user, on another machine, or one that was started anew with a token of its own."
        ),
        ("Set EZMSG_TOKEN or EZMSG_TOKEN_FILE to the server's token. `ezmsg doctor` says where yours comes from."),
    ),
    "EZ-3004": (
        (
            "Another program listens there already, often a graph server that still runs, or the address is "
            "not of this machine."
        ),
        (
            "See who: `ezmsg server status`. End it with `ezmsg server stop`, or take another port: --address"
            " HOST:0 takes a free one."
        ),
    ),
    "EZ-3005": (
        (
            "Whoever can reach a server can run code in its graph. Beyond this machine, a token that clients "
            "share is therefore needed."
        ),
        (
            "Set EZMSG_TOKEN or EZMSG_TOKEN_FILE for the server and for its clients. --insecure does without,"
            " in a network of which you trust everybody."
        ),
    ),
    "EZ-3006": (
        "An address is a host and a port, such as 127.0.0.1:25978 or [::1]:25978.",
        "Write it so, as an argument, with --address, or in EZMSG_GRAPHSERVER_ADDR.",
    ),
    "EZ-3007": (
        "Every wait has an end. Who was asked is busy, stopped in a debugger, or gone without a word.",
        "Allow more time with --timeout, and see who is slow: `ezmsg process` and `ezmsg profile blame`.",
    ),
    "EZ-3008": (
        "Edges and descriptions belong to a session, and it begins when a GraphContext is entered.",
        "Do it inside `async with GraphContext() as context:`.",
    ),
    "EZ-3009": (
        (
            "A server protects itself: too many connections that have not proved their token, or a client "
            "that reads so slowly that what waits for it has reached the limit."
        ),
        "The sentence says which. Read faster, in a task of its own, or see who opens so many connections.",
    ),
    "EZ-3010": (
        "Tokens lie in the runtime folder, so that nobody else may be able to read or write there.",
        "Remove the folder, or let EZMSG_RUNTIME_DIR name one that is yours alone, of mode 0700.",
    ),
    "EZ-3011": (
        "EZMSG_TOKEN_FILE names a file that is not there, is empty, is not yours to read, or holds no text.",
        "Write the shared secret into it, a line of text, with the mode 0600.",
    ),
    "EZ-3012": (
        "A page of metrics asks nobody for a token, and would be seen from other machines.",
        "Serve it on loopback, --metrics :PORT, and let the collector run here; --insecure if that is meant.",
    ),
    "EZ-3013": (
        (
            "A token carries a role: an observer reads, an operator also changes settings and edges, traces, and "
            "hears messages, an admin does all. Programs that publish or own units need the server's own token."
        ),
        (
            "Ask whoever runs the server for a token of that role; `ezmsg server token --role operator` makes one "
            "from the server's own."
        ),
    ),
    "EZ-3014": (
        (
            "The file of --state is not there and cannot be made, is no state file, is one of a later release, is "
            "on a full disk, or another server has it: one server has one file."
        ),
        (
            "The text has the reason. A server that runs goes on without, and writes it all as soon as it can; one "
            "that starts does not, so as not to lose what the file holds."
        ),
    ),
    "EZ-3015": (
        (
            "The server was started with a certificate, and takes nobody in who speaks openly. This program found "
            "no authority's certificate to check it by, so it did."
        ),
        (
            "Bring tls-ca.pem here, put it beside the file that EZMSG_TOKEN_FILE names, or name it by "
            "EZMSG_TLS_CA. It is no secret."
        ),
    ),
    "EZ-3016": (
        (
            "This program has an authority's certificate, so it says nothing before the other side has proved "
            "itself by it. The server there was started without one, is of an older release, or is none of ours."
        ),
        (
            "Start the server with --tls-cert, --tls-key and --tls-ca, or with the three files beside its token. "
            "To speak openly, unset EZMSG_TLS_CA, or move tls-ca.pem away from the token."
        ),
    ),
    "EZ-3017": (
        (
            "The two sides have certificates of different authorities, such as after a second `ezmsg server "
            "certificates` in another folder; or somebody between them shows one of his own."
        ),
        (
            "Compare the tls-ca.pem of both: sha256sum tls-ca.pem. Bring all hosts the one that belongs to their "
            "certificates."
        ),
    ),
    "EZ-3018": (
        (
            "A certificate is valid for a time. It has passed or not begun, or a clock is wrong: those of "
            "`ezmsg server certificates` begin a day before they are made, so that an hour does not matter."
        ),
        "The text has both times. Make another certificate from the same folder, or set the clock of this machine.",
    ),
    "EZ-3019": (
        (
            "A certificate holds the names and addresses of its host, and the one that was asked for is not among "
            "them: the host has another address now, or another host answers."
        ),
        (
            "Reach it by a name that its certificate holds, or make another with all of them: `ezmsg server "
            "certificates DIR --host NAME,ADDRESS`."
        ),
    ),
    "EZ-3021": (
        (
            "TLS was asked for, by arguments, by EZMSG_TLS_CERT, EZMSG_TLS_KEY and EZMSG_TLS_CA, or by files "
            "beside the token, and one of them is missing, is not readable, or does not belong to the others."
        ),
        "The text has the file and the reason. `ezmsg server certificates DIR --host NAME` makes all three anew.",
    ),
    "EZ-3022": (
        (
            "The other side speaks an older TLS, has closed the connection while both shook hands, or does not "
            "accept this side's certificate."
        ),
        "Look into the log of the other side, and compare tls-ca.pem and the clocks of both.",
    ),
    "EZ-3023": (
        "A server that is to be found by a name needs a distribution that knows the way, and a name that is free.",
        "Install ezmsg-zenoh where the server runs; end the other server of that name, or choose another name.",
    ),
    "EZ-3020": (
        (
            "Both sides of a connection beat four times in a lease, which is 3 s. One heard nothing for so long, "
            "and what it said was not even acknowledged: the other machine is off, or the network is cut."
        ),
        (
            "Look at the network. Nothing has to be started again: when it is whole, the client joins by itself "
            "within 2 s, and what is missing since is counted."
        ),
    ),
    "EZ-9001": (
        "Something happened that the author of this code held to be impossible.",
        "Please report it, with the log around it and what `ezmsg doctor` says.",
    ),
    "EZ-9002": (
        "The other side is of a newer release and has an error that this one does not know by its code.",
        "Its text says what is the matter. Upgrade this side to have it explained.",
    ),
}
