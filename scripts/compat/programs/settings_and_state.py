"""Settings and state: how they come to a unit, what they are, what is inherited, and what happens without."""

import dataclasses
import logging
from collections.abc import AsyncGenerator

from say import say

import ezmsg.core as ez


@dataclasses.dataclass(frozen=True)
class Labelled:
    label: str = "plain"


class Gain(ez.Settings):
    factor: float
    offset: float = 0.0


class LabelledGain(Gain):
    label: str = "plain"
    tags: list[str] = dataclasses.field(default_factory=lambda: ["a"])


class Mixed(ez.Settings, Labelled):
    rate: float = 1.5


class Memory(ez.State):
    last: float
    seen: list[float] = dataclasses.field(default_factory=list)
    calls: int = 0


class MoreMemory(Memory):
    total: float = 0.5


class Amplifier(ez.Unit):
    """Settings that change while it runs, by messages on ``INPUT_SETTINGS``."""

    SETTINGS = Gain
    STATE = Memory
    INPUT_SETTINGS = ez.InputStream(Gain)
    INPUT = ez.InputStream(float)
    OUTPUT = ez.OutputStream(float)
    APPLIED = ez.OutputStream(Gain)

    async def initialize(self) -> None:
        say(self.address, "state before", self.STATE.seen, self.STATE.calls, hasattr(self.STATE, "last"))
        self.STATE.last = 0.0

    @ez.subscriber(INPUT_SETTINGS)
    @ez.publisher(APPLIED)
    async def on_settings(self, settings: Gain) -> AsyncGenerator:
        self.apply_settings(settings)
        yield self.APPLIED, settings

    @ez.subscriber(INPUT)
    @ez.publisher(OUTPUT)
    async def amplify(self, value: float) -> AsyncGenerator:
        self.STATE.last = value * self.SETTINGS.factor + self.SETTINGS.offset
        self.STATE.seen.append(self.STATE.last)
        self.STATE.calls += 1
        yield self.OUTPUT, self.STATE.last


class LabelledAmplifier(Amplifier):
    """Inherits functions and streams; has settings and state of its own, which are more than its parent's."""

    SETTINGS = LabelledGain
    STATE = MoreMemory

    async def shutdown(self) -> None:
        say(self.address, "state after", self.STATE, self.SETTINGS.label)


class SameAmplifier(Amplifier):
    """Inherits everything."""


class Annotated(ez.Unit):
    """Annotates what others assign; that still works."""

    SETTINGS: Gain
    STATE: Memory

    def initialize(self) -> None:
        self.STATE.last = self.SETTINGS.factor

    @ez.task
    async def tell(self) -> None:
        say(self.address, type(self.SETTINGS).__name__, type(self.STATE).__name__, self.STATE)


class Forgetful(ez.Unit):
    STATE = Memory


class Operator(ez.Unit):
    """Sends a value, new settings, and when these are applied another value; then it ends the run."""

    VALUES = ez.OutputStream(float)
    NEW_SETTINGS = ez.OutputStream(Gain)
    ANSWER = ez.InputStream(float)
    APPLIED = ez.InputStream(Gain)

    @ez.publisher(VALUES)
    async def begin(self) -> AsyncGenerator:
        yield self.VALUES, 1.0

    @ez.subscriber(ANSWER)
    @ez.publisher(NEW_SETTINGS)
    async def on_answer(self, value: float) -> AsyncGenerator:
        say(self.address, "got", value)
        if value >= 100:
            raise ez.NormalTermination
        yield self.NEW_SETTINGS, LabelledGain(factor=10 * value, label="sent")

    @ez.subscriber(APPLIED)
    @ez.publisher(VALUES)
    async def on_applied(self, settings: Gain) -> AsyncGenerator:
        say(self.address, "applied", settings)
        yield self.VALUES, 5.0


class System(ez.Collection):
    SETTINGS = Gain
    OPERATOR = Operator()
    AMPLIFIER = LabelledAmplifier()
    OTHER = SameAmplifier(Gain(3.0))

    def configure(self) -> None:
        late = LabelledGain(self.SETTINGS.factor, label="late")
        self.AMPLIFIER.apply_settings(late)

    def network(self) -> ez.NetworkDefinition:
        return (
            (self.OPERATOR.VALUES, self.AMPLIFIER.INPUT),
            (self.OPERATOR.NEW_SETTINGS, self.AMPLIFIER.INPUT_SETTINGS),
            (self.AMPLIFIER.OUTPUT, self.OPERATOR.ANSWER),
            (self.AMPLIFIER.APPLIED, self.OPERATOR.APPLIED),
        )


def what_settings_are() -> None:
    one, other = Gain(2.0), Gain(2.0, offset=0.0)
    say("settings", one, one == other, hash(one) == hash(other), dataclasses.replace(one, offset=1.0))
    say("settings", [field.name for field in dataclasses.fields(LabelledGain)], LabelledGain(factor=1.0))
    say(
        "settings",
        Mixed(label="mixed"),
        isinstance(Mixed(), Labelled),
        [field.name for field in dataclasses.fields(Mixed)],
    )
    try:
        one.factor = 3.0  # type: ignore[misc]
    except dataclasses.FrozenInstanceError as error:
        say("settings", error)


def what_state_is() -> None:
    state = MoreMemory()
    say("state", [field.name for field in dataclasses.fields(state)], state.total, hasattr(state, "last"))
    state.last = 1.0
    state.seen = []
    say("state", state.last, state.calls, dataclasses.is_dataclass(state))


def how_they_are_given() -> None:
    for how, unit in {
        "settings=": Amplifier(settings=Gain(1.0)),
        "positional": Amplifier(Gain(2.0)),
        "fields by position": Amplifier(3.0, 1.0),
        "fields by name": Amplifier(factor=4.0),
        "a subclass": Amplifier(LabelledGain(5.0)),
        "none, though one is needed": Amplifier(),
        "none, and none needed": Forgetful(),
        "inherited": SameAmplifier(6.0),
    }.items():
        say("given", f"{how}: {unit.SETTINGS}")
    late = Amplifier()
    late.apply_settings(Gain(7.0))
    say("given", "late:", late.SETTINGS, Amplifier().SETTINGS)
    try:
        Amplifier(wrong=1)
    except TypeError:
        say("given", "a name that is no field: TypeError")


def fails(voice: str, unit: ez.Unit, error: type[Exception], text: str = "") -> None:
    try:
        ez.run(UNIT=unit)
    except error as caught:
        say(voice, "run raised", error.__name__, text if text in str(caught) else caught)
    except Exception as caught:  # noqa: BLE001  whatever it is, is the finding
        say(voice, "run raised", type(caught).__name__, text if text in str(caught) else caught)
    else:
        say(voice, "run returned")


def main() -> None:
    logging.getLogger("ezmsg").setLevel(logging.CRITICAL)
    what_settings_are()
    what_state_is()
    how_they_are_given()
    ez.run(SYSTEM=System(2.0))
    ez.run(ANNOTATED=Annotated(4.0))
    fails("no settings", Amplifier(), ValueError)
    fails("state not initialized", Forgetful(), AttributeError, "UNIT: STATE.last was not initialized!")


if __name__ == "__main__":
    main()
