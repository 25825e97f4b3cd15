"""Probes like any user's requests: a share of all, so that a mesh cannot know which requests the harness sends.

A probe of the usual kind is easy to find in logs, and as easy to recognise: by the prefix of its request id, its user
agent, its `Connection: close`, its source port. An ordinary one has the user agent of curl itself, of a browser or of
a load balancer's health check, a browser's further headers, another order of headers, a random UUID as request id (as
a proxy before it would have made it), and a port of the system's own range where no sidecar redirects its connections.
So a rule that lets in what has a cookie, or what says that it is a health check, lets one of them in.
Both kinds must see the same.
"""

from __future__ import annotations

import itertools
import secrets
import uuid
from collections.abc import Collection, Iterator, Sequence
from functools import cache

from clients.model.attempt import Attempt

EVERY = 4
"""One probe of so many is ordinary; of a batch of several, at least one is."""
PORTS = range(32_768, 60_000)
"""Source ports of ordinary probes: of the range from which Linux takes ports itself."""
WITH_SIDECAR = range(10_000, 14_984)
"""Those of a client with a sidecar, below that range. The sidecar itself connects from ports of the system's range and
the pod's address: what comes from such a port to the same server may still be tracked, and then is not redirected.
With the ones that curl tries after each it ends below the ports at which a sidecar listens."""
AGENTS = (
    "",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5"
    " Mobile/15E148 Safari/604.1",
    "GoogleHC/1.0",
)
"""User agents of ordinary probes; the empty one is that of the program that sends them. No libraries: firewalls of web
applications refuse some of theirs."""
_BROWSER = "Mozilla/"
_PAGES = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
"""What a browser accepts that opens a page: a rule may let in what accepts HTML."""
_LEAST = 2
_RANDOM = secrets.SystemRandom()


def new_id() -> str:
    """A random UUID, version 4."""
    return str(uuid.uuid4())


def agents() -> Iterator[str]:
    """User agents, each once before any comes again: in the requests of one case every kind has its turn."""
    start = secrets.randbelow(len(AGENTS))
    return itertools.cycle((*AGENTS[start:], *AGENTS[:start]))


def headers(agent: str, stated: Collection[str]) -> tuple[tuple[str, str], ...]:
    """What a user agent sends with every request, but for headers that the request states itself.

    Args:
        stated: their names, in lower case.
    """
    if not agent.startswith(_BROWSER):
        return ()
    number = f"{secrets.randbelow(10**9)}.{secrets.randbelow(10**9)}"
    own = {"accept": _PAGES, "accept-language": "en-US,en;q=0.7", "referer": "https://search.example.net/"}
    own["cookie"] = f"_ga={number}"
    return tuple((name, value) for name, value in own.items() if name not in stated)


def ports(of: range = PORTS) -> Iterator[int]:
    """Source ports, each once before any comes again: a port is the key of a TCP connection in logs.

    In no order: the kernel remembers for a minute the connections of a process that used the same pods before, and a
    port of that process has free ones after it, which curl tries. Several threads may take from it.
    """
    order, start = _shuffled(of), secrets.randbelow(len(of))
    return itertools.cycle((*order[start:], *order[:start]))  # a generator would serve one thread only


@cache
def _shuffled(of: range) -> tuple[int, ...]:
    return tuple(_RANDOM.sample(of, len(of)))


def chosen(count: int, before: int) -> frozenset[int]:
    """Which of `count` probes that are sent at once are ordinary, by index: at random, so that every client has some.

    Args:
        before: probes of the same request that were sent before.
    """
    if count < _LEAST:
        return frozenset({0}) if count and before % EVERY == EVERY - 1 else frozenset()
    return frozenset(_RANDOM.sample(range(count), max(1, count // EVERY)))


def difference(attempts: Sequence[Attempt]) -> str:
    """How the mesh treats the two kinds of probes differently, for people; empty where it does not.

    Answers that come while a change spreads are left out: only the later half after the first match counts.
    """
    first = next((index for index, attempt in enumerate(attempts) if attempt.matched), len(attempts))
    since = [attempt for attempt in attempts[first:] if attempt.ran]
    late = since[len(since) // 2 :]
    kinds = [one for one in late if one.ordinary], [one for one in late if not one.ordinary]
    if any(len(kind) < _LEAST or len({one.matched for one in kind}) > 1 for kind in kinds):
        return ""
    ordinary, marked = kinds[0][-1], kinds[1][-1]
    if ordinary.matched == marked.matched:
        return ""
    return (
        "the mesh treats requests that it can recognise as the harness's differently:"
        f" they see {marked.summary}, ordinary ones {ordinary.summary}"
    )
