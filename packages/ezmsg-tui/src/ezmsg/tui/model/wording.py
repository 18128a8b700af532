"""Numbers of a view as people read them: rates, times ago, and what is known of the server. Pure."""

from ezmsg.control.rendering.quantities import counted, size
from ezmsg.tui.model.view import Link, View

NOTHING = "-"


def hz(rate: float | None) -> str:
    """Return a rate with three digits, or that nothing is known."""
    if rate is None:
        return NOTHING
    if rate >= 1e6:
        return f"{rate / 1e6:.2f} MHz"
    if rate >= 9_999.5:
        return f"{rate / 1e3:.1f} kHz"
    return f"{rate:.0f} Hz" if rate >= 99.95 else f"{rate:.1f} Hz"


def per_second(amount: float | None) -> str:
    """Return bytes a second."""
    return NOTHING if amount is None else f"{size(round(amount))}/s"


def ago(seconds: float) -> str:
    """Return how long ago something was; what lies ahead, because a clock was set, was just now."""
    seconds = max(0.0, seconds)
    if seconds < 1:
        return "now"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} d"


def status(view: View, warnings: int) -> list[tuple[str, str]]:
    """Return the parts of the line that every screen has, each with its tone."""
    contact = view.contact
    marks = {Link.LIVE: ("●", "good"), Link.LOST: ("○", "bad"), Link.REFUSED: ("○", "bad")}
    mark, tone = marks.get(contact.link, ("○", "warn"))
    parts = [(f"{mark} {contact.server or 'looking for a server'}", tone)]
    if view.has_graph:
        parts.append((counted(view.picture.unit_count, "unit"), ""))
        parts.append((counted(len(view.picture.processes), "process"), ""))
    if warnings:
        parts.append((counted(warnings, "warning"), "bad"))
    parts.append(_tracing(view))
    return parts


def _tracing(view: View) -> tuple[str, str]:
    if view.tracing.until_s is not None:
        return f"tracing {max(0, round(view.tracing.until_s - view.now_s))} s", "warn"
    if view.tracers:
        return f"traced by {counted(len(view.tracers), 'other')}", "warn"
    return "tracing off", "dim"


def banner(view: View) -> str:
    """Return what is said above a screen while there is no server, empty while there is one."""
    contact = view.contact
    if contact.link is not Link.LOST:
        return ""
    gone = ago(view.now_s - contact.since_s)
    again = retrying(view)
    return f"The graph server is gone since {gone} ({contact.reason}). This is the last that was seen. {again}"


def retrying(view: View) -> str:
    """Return when the server is tried again."""
    contact = view.contact
    tries = f" after {counted(contact.attempts, 'try')}" if contact.attempts else ""
    if contact.retry_at_s is None:
        return f"It is tried again{tries}."
    left_s = max(0, round(contact.retry_at_s - view.now_s))
    return f"It is tried again in {left_s} s{tries}." if left_s else f"It is tried again now{tries}."


def waiting(view: View) -> str:
    """Return what is said in place of a screen before there is anything to show, empty where there is."""
    contact = view.contact
    match contact.link:
        case Link.LIVE if not view.has_graph:
            return (
                f"The graph server at {contact.server} has no units yet.\n\n"
                "They are shown as soon as a program joins it: ezmsg.core's run() does so by itself."
            )
        case Link.WAITING if contact.reason:
            return (
                f"No graph server answers at {contact.server}: {contact.reason}.\n{retrying(view)}\n\n"
                "Start your program, which brings a server of its own, or try one:\n\n    ezmsg demo\n\n"
                "A server alone is started with: python -m ezmsg.graphserver"
            )
        case Link.WAITING:
            return "Looking for a graph server..."
        case Link.REFUSED:
            advice = (
                "On one machine the token is found by itself; elsewhere EZMSG_TOKEN_FILE names its file."
                if "token" in contact.reason
                else "ezmsg top --address HOST:PORT says which graph is meant."
            )
            return f"{contact.reason}\n{retrying(view)}\n\n{advice}"
    return ""
