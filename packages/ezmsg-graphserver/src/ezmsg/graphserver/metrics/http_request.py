"""The little of HTTP/1.1 that a page needs: what a request asks for, and a response. Pure; bytes in, bytes out."""

from attrs import define

PATH = "/metrics"
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


@define(slots=False, eq=False)
class Refusal(Exception):
    """A request that gets no page; ``sentence`` says why."""

    status: int
    sentence: str


def check_request(head: bytes) -> None:
    """Return if a request, its lines up to the empty one, asks for the page.

    :raises Refusal: if it asks for anything else, or is no request.
    """
    line = head.split(b"\r\n", 1)[0].split(b"\n", 1)[0]
    try:
        method, target, protocol = line.decode("ascii").split(" ")
    except ValueError:
        raise Refusal(400, "This is no HTTP request: its first line is not METHOD PATH HTTP/1.1.") from None
    if not protocol.startswith("HTTP/1."):
        raise Refusal(400, "This server speaks HTTP/1.1 only.")
    if target.split("?", 1)[0] != PATH:
        raise Refusal(404, f"There is nothing here but {PATH}.")
    if method != "GET":
        raise Refusal(405, f"{PATH} can be read with GET, and nothing else can be done with it.")


def response(status: int, content_type: str, body: str) -> bytes:
    """Return a whole response, after which the connection ends."""
    content = body.encode("utf-8", "replace")
    head = [
        f"HTTP/1.1 {status} {_REASONS[status]}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(content)}",
        "Connection: close",
    ]
    if status == 405:
        head.append("Allow: GET")
    return "\r\n".join([*head, "", ""]).encode("ascii") + content
