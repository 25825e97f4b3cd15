"""Visits of users at the load balancer's address, and what the gateway logs of them."""

from __future__ import annotations

import html
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clients.identity.iap import Balancer
from clients.identity.signin import HOST, SignIn
from clients.kube.pods import SIDECAR
from clients.mesh import sidecar
from clients.probe.visitor import Visitor
from clients.proof.rig.rig import Rig
from suites.iap.workloads import OUTSIDE

OTHER = "stranger@example.com"
PAGE = "<title>Simple Bookstore App</title>"


@dataclass
class StandIn:
    """The running stand-in.

    Attributes:
        balancer: its settings are those that an operator may change.
    """

    balancer: Balancer
    signin: SignIn
    visitor: Callable[[str], Visitor]
    rig: Rig

    def visit(self, control: str) -> Visit:
        """A new visitor, without a session."""
        agent = f"meshproof/{control} {secrets.token_hex(6)}"
        return Visit(self, self.visitor(agent), agent)


@dataclass
class Visit:
    """One visitor."""

    stand_in: StandIn
    visitor: Visitor
    agent: str

    def signs_in(self, url: str, email: str) -> Any:
        """Follow the redirect to the sign-in form, fill it in, and follow it back to the page."""
        form = self.visitor.get(url)
        request = re.search(r'name="request" value="([^"]*)"', form.text)
        if request is None:
            return form
        sent = {"request": html.unescape(request[1]), "email": email, "password": self.stand_in.signin.password(email)}
        return self.visitor.post(f"http://{HOST}/password", sent)

    def at_the_gateway(self) -> list[str]:
        """Lines of the gateway's log about this visitor."""
        rig = self.stand_in.rig
        lines = [
            one
            for pod in rig.workloads.pods(OUTSIDE)
            for one in sidecar.log_lines(rig.cluster, pod, SIDECAR, since_s=300)
        ]
        return [line for line in lines if self.agent in line]


def page_problem(reply: Any) -> str | None:
    """Why this is not the product page; None when it is."""
    if reply.status_code == 200 and PAGE in reply.text:
        return None
    return f"expected 200 and the product page, saw {reply.status_code}: {reply.text[:80]!r}"
