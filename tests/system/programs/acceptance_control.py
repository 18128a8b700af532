"""What test_acceptance_issue_4.py looks into: a process that answers by hand, and a unit that can be tuned."""

import asyncio
import dataclasses
import enum
import math
import os
import pickle
import threading
import time
from pathlib import Path
from typing import Literal

import attrs
import numpy as np
import pydantic

import ezmsg.core as ez
from ezmsg.control import ProcessControlClient, decode_payload, encode_payload
from ezmsg.core.graphmeta import ProcessControlRequest, ProcessControlResponse, SettingsSnapshotValue

HANG = 30.0
released = threading.Event()


def say(*words: object) -> None:
    """One line, written at once, also among others that write."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def answer(request: ProcessControlRequest) -> ProcessControlResponse:
    payload = request.payload
    match request.operation:
        case "hold":
            say("holding")
            assert released.wait(HANG)
        case "free":
            released.set()
        case "raise":
            raise LookupError("the drawer is empty")
        case "die":
            os._exit(1)
        case "text":
            return "no response"  # type: ignore[return-value]
        case "stranger":
            return ProcessControlResponse("of nobody", ok=True)
        case "double":
            payload = encode_payload([decode_payload(payload or b"", object)] * 2)
    return ProcessControlResponse(request.request_id, ok=True, payload=payload)


async def answering() -> None:
    client, mute = ProcessControlClient(), ProcessControlClient()
    client.set_request_handler(answer)
    await client.connect()
    await client.register(["HAND"])
    await client.update_ownership(added_units=["HAND2"])
    await mute.register(["MUTE"])
    say("ready", client.process_id)
    await asyncio.Event().wait()


async def reporting() -> None:
    client = ProcessControlClient()
    await client.register(["U"])
    for size in range(100):
        fields = {"size": size}
        await client.report_settings_update("U", SettingsSnapshotValue(None, fields, fields))
    say("reported")
    await asyncio.Event().wait()


class Kind(enum.Enum):
    LOW = "low"
    HIGH = "high"


@dataclasses.dataclass(frozen=True)
class Stage:
    gain: float = dataclasses.field(default=1.0, metadata={"min": 0.0, "max": 10.0})


@attrs.frozen
class Window:
    length: int = 8


class Model(pydantic.BaseModel):
    order: int = pydantic.Field(4, ge=1, le=12)


class TunedSettings(ez.Settings):
    flag: Path  # what a unit that blocks waits for
    rate: float = dataclasses.field(default=1.0, metadata={"min": 0.5, "max": 9.0, "unit": "Hz"})
    name: str = "x"
    shape: Literal["box", "bell"] = "box"
    kind: Kind = Kind.LOW
    stages: list[Stage] = dataclasses.field(default_factory=lambda: [Stage(), Stage(2.0)])
    table: dict[str, float] = dataclasses.field(default_factory=lambda: {"a": 1.0})
    window: Window = Window()
    model: Model = dataclasses.field(default_factory=lambda: Model(order=4))
    missing: float = math.nan
    weights: np.ndarray = dataclasses.field(default_factory=lambda: np.arange(3.0))
    blob: bytes = b"\x00\xff"


class Tuned(ez.Unit):
    SETTINGS = TunedSettings
    INPUT_SETTINGS = ez.InputStream(TunedSettings)

    async def initialize(self) -> None:
        say("started", os.getpid())

    @ez.subscriber(INPUT_SETTINGS)
    async def tune(self, settings: TunedSettings) -> None:
        if settings.name == "block":
            say("blocked")
            while not settings.flag.exists():
                time.sleep(0.01)  # noqa: ASYNC251, it is to keep the loop
        if settings.name == "refuse":
            raise ValueError("not today")
        self.apply_settings(settings)
        say("has", settings.rate, settings.name)


class Plain(ez.Unit):
    @ez.task
    async def wait(self) -> None:
        await asyncio.Event().wait()


def tunable(flag: str) -> None:
    tuned = Tuned(TunedSettings(Path(flag)))
    ez.run(TUNED=tuned, PLAIN=Plain(), process_components=(tuned,))


async def replacing() -> None:
    """Publish new settings as a whole, as a settings browser does that has the classes."""
    async with ez.GraphContext() as context:
        before = (await context.settings_snapshot())["TUNED"]
        settings = pickle.loads(before.serialized or b"")
        await context.update_settings("TUNED", dataclasses.replace(settings, rate=6.0))
        after = (await context.settings_snapshot())["TUNED"]
        say("replaced", after.revision - before.revision, (after.structured_value or {})["rate"])
