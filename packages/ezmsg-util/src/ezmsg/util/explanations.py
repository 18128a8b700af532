"""What `ezmsg explain` says of the errors of this distribution beside what their classes say: why, what next."""

import ezmsg.util.errors  # noqa: F401  so that its classes are known by their codes

EXPLANATIONS: dict[str, tuple[str, str]] = {
    "EZ-7001": (
        ("As many dimensions as the data has are to be named, and an axis has to be of a dimension that is there."),
        "The text says which part contradicts which.",
    ),
    "EZ-7002": (
        "A list or a number was given where an array belongs.",
        "Make one of it: numpy.asarray(...).",
    ),
    "EZ-7003": (
        "The dimension is misspelt, or was taken away before.",
        "Name one of those in the text.",
    ),
    "EZ-7004": (
        "A dimension is indexed by a number, a slice, a list of numbers or of truths.",
        "The text says what is wrong with this one.",
    ),
    "EZ-7005": (
        "Arrays are joined along one dimension if all others are the same in number, name and length.",
        "Compare dims and shape of both before you join them.",
    ),
    "EZ-7006": (
        "No array was given, or none has the key that was asked for.",
        "Give at least one, or another key.",
    ),
    "EZ-7007": (
        "A window has at least one sample.",
        "Give it a whole number from 1 on.",
    ),
    "EZ-7008": (
        "Some parts need a package that is not installed with the rest.",
        "Install what the text names.",
    ),
    "EZ-7009": (
        "There are fewer elements along that dimension.",
        "Take an index within its length.",
    ),
    "EZ-7101": (
        "A log names the class of each message; it is renamed, moved, or not installed here.",
        "Install the package that has it, or read the log where it was written.",
    ),
    "EZ-7102": (
        "The file was cut off while it was written, was edited, or is none of ours.",
        "Remove the line that the text names to read the rest.",
    ),
    "EZ-7103": (
        "A message holds something that JSON cannot say and that no encoder is known for.",
        "Log plain data, arrays and data classes of these.",
    ),
    "EZ-7201": (
        "A unit is made of a generator function by its annotation, which says what comes and goes.",
        "Annotate it as -> Generator[yielded, sent, None].",
    ),
    "EZ-7202": (
        "An attribute of the message or of the state is misspelt.",
        "Name what is there.",
    ),
    "EZ-7301": (
        "A measurement waited for a message that did not come: the machine is busy, or something is broken.",
        "Run `ezmsg doctor`, and measure again on a machine that does nothing else.",
    ),
    "EZ-7302": (
        "One of the two sides that were to be compared did not run.",
        "The text says why; run it alone.",
    ),
    "EZ-7303": (
        "The file is of something else, or of a measurement that did not come to its end.",
        "Measure again: `ezmsg perf benchmark --name NAME`.",
    ),
}
