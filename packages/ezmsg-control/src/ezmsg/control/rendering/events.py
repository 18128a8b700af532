"""Events of a graph and of settings, as lines for people and as plain data. Pure, but for the time zone."""

import time
from typing import Any

from ezmsg.protocol.messages.events import Gap, Reset
from ezmsg.protocol.model.settings import SettingsChangedEvent
from ezmsg.protocol.model.topology import TopologyChangedEvent
from ezmsg.protocol.snapshots.json_form import to_json_form

_SOME = 6


def event_line(item: object) -> str:
    """Return an event as a line; its time is that of this machine's clock."""
    match item:
        case SettingsChangedEvent():
            by = f"   by {item.changed_by}" if item.changed_by else ""
            what = item.event_type.value.lower().replace("_", " ")
            said = f"{what}, revision {item.value.revision}{by}"
            return f"{_moment(item.timestamp)}   settings   {item.component_address}   {said}"
        case TopologyChangedEvent():
            what = item.event_type.value.lower().replace("_", " ")
            topics = ", ".join(item.changed_topics[:_SOME])
            more = len(item.changed_topics) - _SOME
            named = f"   {topics}{f' and {more} more' if more > 0 else ''}" if topics else ""
            return f"{_moment(item.timestamp)}   graph      {what}{named}"
        case Gap(first, last):
            return f"            ! events {first} to {last} were forgotten before they were read"
        case Reset():
            return "            ! the graph server began anew"
    return f"            ? {item!r}"


def event_form(item: object) -> dict[str, Any]:
    """Return an event as plain data; ``event`` says which kind it is. Of settings, the value itself is left out."""
    match item:
        case SettingsChangedEvent():
            form = to_json_form(item)
            del form["value"]
            return {"event": "settings", **form, "revision": item.value.revision}
        case TopologyChangedEvent():
            return {"event": "topology", **to_json_form(item)}
        case Gap(first, last):
            return {"event": "gap", "first": first, "last": last}
        case Reset(epoch, after_seq):
            return {"event": "reset", "epoch": str(epoch), "after_seq": after_seq}
    return {"event": "unknown", "text": repr(item)}


def _moment(wall: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(wall))
