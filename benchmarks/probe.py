"""A single request, to see that a contestant does what it is measured for."""

import http.client
import json
import socket

from benchmarks import VoidError
from benchmarks.contestants import Contestant

WITHIN = 30.0  # seconds; a worker may still be starting
OWN = {"date", "server"}  # headers that the server program adds for each app


def answer(port: int, contestant: Contestant) -> str:
    """Ask the contestant at `port`; return its answer's headers and body as JSON.

    Raises VoidError where that is no success, or a key does not keep a hit from being
    counted again.
    """
    said = _ask(port, contestant)
    if contestant.kind == "keys" and _ask(port, contestant)["body"] != said["body"]:
        raise VoidError(f"{contestant.title}: a hit was counted again")
    return json.dumps(said)


def _ask(port: int, contestant: Contestant) -> dict[str, object]:
    headers = {"Idempotency-Key": "probe"} if contestant.kind == "keys" else {}
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=WITHIN)
    try:
        client.request(contestant.method, contestant.path.replace("NUMBER", "1"), headers=headers)
        response = client.getresponse()
        body = response.read().decode()
    finally:
        client.close()
    if response.status != http.HTTPStatus.OK:
        raise VoidError(f"{contestant.title}: the answer was {response.status}: {body}")
    kept = [pair for pair in response.getheaders() if pair[0].lower() not in OWN]
    return {"headers": kept, "body": body}


def redis_count(port: int, key: str) -> int:
    """Return a key's number from the Redis at `port`, without a package for that."""
    with socket.create_connection(("127.0.0.1", port), WITHIN) as link:
        link.sendall(f"GET {key}\r\n".encode())
        answer = link.makefile("rb")
        length = int(answer.readline().removeprefix(b"$"))  # below 0: there is no such key
        return int(answer.readline()) if length > 0 else 0
