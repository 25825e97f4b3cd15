"""Secrets in how a mesh is set, by name, place and form; and what only sounds like one."""

from __future__ import annotations

from typing import Any

import pytest

from clients.model.redact import REDACTED
from clients.model.redact_settings import is_secret, redact_settings, redact_value

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "name",
    ["API_KEY", "x-api-key", "accessToken", "TOKEN", "DB_PASSWORD", "client_secret", "hmac_secret", "Authorization",
     "AWS_SECRET_ACCESS_KEY", "set-cookie", "GOOGLE_CREDENTIALS", "private_key"],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert is_secret(name)
    assert redact_settings({name: "hunter2"}) == {name: REDACTED}
    assert redact_settings([{name: {"inline_string": "hunter2"}}]) == [{name: {"inline_string": REDACTED}}]
    assert redact_settings({"env": [{"name": name, "value": "hunter2"}]})["env"][0]["value"] == REDACTED


@pytest.mark.parametrize(
    "value",
    [
        {"credentialName": "shop-tls"},
        {"tls": {"privateKey": "/etc/certs/key.pem", "clientCertificate": "/etc/certs/chain.pem"}},
        {"privateKeyProvider": {"cryptomb": {"pollDelay": "10ms"}}},
        {"jwtRules": [{"forwardOriginalToken": True, "issuer": "https://a.test", "fromCookies": ["session"]}]},
        {"trustDomainAliases": ["old.test"], "enableTracing": True, "accessLogFile": "/dev/stdout"},
        {"selector": {"matchLabels": {"app": "token-service"}}, "secretName": "a", "secretTtl": "24h"},
        {"zipkin": {"address": "zipkin.istio-system:9411"}, "uri": "https://a.test/path@x:1"},
        {"headers": [{"name": "x-tenant", "value": "shop"}]},
        {"rules": [{"when": [{"key": "request.auth.claims[sub]", "values": ["a"]}]}], "x": None, "list": [1, None]},
    ],
)  # fmt: skip
def test_what_is_no_secret_stays(value: Any) -> None:
    assert redact_settings(value) == value


def test_headers_of_a_provider_are_for_its_server() -> None:
    found = redact_settings({"extensionProviders": [{"name": "otel", "headers": [{"name": "x-tenant", "value": "a"}]}]})
    assert found == {"extensionProviders": [{"name": "otel", "headers": [{"name": "x-tenant", "value": REDACTED}]}]}


@pytest.mark.parametrize("user", ["user:pa55", ":pa55", "a%40b:pa/55".replace("/", "-")])
def test_credentials_in_an_address(user: str) -> None:
    assert redact_value(f"see http://{user}@zipkin:9411/x") == f"see http://{REDACTED}@zipkin:9411/x"
