"""The stand-in for load balancer, IAP and sign-in service."""

from __future__ import annotations

import secrets

import pytest

from clients.identity import certificates
from clients.identity.claims import USER
from clients.identity.iap import CLIENT_ID, RETURN_PATH, Balancer, IapSettings
from clients.identity.signin import HOST, SignIn, server
from clients.probe.visitor import Visitor
from suites.iap.visits import OTHER, StandIn
from suites.iap.workloads import NAME, OUTSIDE, SITES


@pytest.fixture(scope="module")
def stand_in(stage, tmp_path_factory):
    """Load balancer and sign-in service; IAP is on, and its list has one of two users."""
    made = certificates.issue([NAME])
    folder = tmp_path_factory.mktemp("balancer")
    pair, roots = folder / "server.pem", folder / "roots.pem"
    pair.touch(mode=0o600)
    pair.write_text(made.certificate + made.key)
    roots.write_text(made.roots)
    users = {email: secrets.token_urlsafe(16) for email in (USER, OTHER)}
    settings = IapSettings(stage.world.tokens.audience_of("iap"), {USER})
    client = server(settings.client_secret, *(f"{site}{RETURN_PATH}" for site in SITES.values()))
    world = stage.world
    with SignIn(world.tokens, users, {CLIENT_ID: client}) as signin:
        to = ("127.0.0.1", signin.port)
        with Balancer(settings, world.tokens, lambda: world.address(OUTSIDE, 80), to, pair) as balancer:
            pair.unlink()
            places = {f"{NAME}:80": balancer.place("http"), f"{NAME}:443": balancer.place("https"), f"{HOST}:80": to}
            yield StandIn(balancer, signin, lambda agent: Visitor(places, agent, str(roots)), world)
