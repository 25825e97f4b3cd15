"""A run's certificates are good by all clocks that verify them, and an impostor's is bad by its authority alone."""

from __future__ import annotations

import datetime
import time

import pytest
from cryptography import x509

from clients.identity import certificates

pytestmark = pytest.mark.unit

NOW = 1_900_000_000


@pytest.mark.parametrize("fast_s", [-7 * 86_400, 0, 7 * 86_400])
def test_a_gateways_certificate_is_valid_by_the_clocks_of_this_machine_and_of_the_cluster(
    fast_s: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: float(NOW + fast_s))
    made = x509.load_pem_x509_certificate(certificates.issue(["a.example"], lambda: float(NOW)).certificate.encode())
    for clock in (NOW, NOW + fast_s):
        moment = datetime.datetime.fromtimestamp(clock, datetime.UTC)
        assert made.not_valid_before_utc < moment < made.not_valid_after_utc
    assert made.not_valid_after_utc - made.not_valid_before_utc < datetime.timedelta(days=10), "kept short"


@pytest.mark.parametrize("fast_s", [-400 * 86_400, 400 * 86_400])
def test_an_impostors_certificate_is_wrong_by_its_authority_alone(fast_s: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is not yet valid would be refused by a mesh that takes any authority."""
    here = time.time()
    monkeypatch.setattr("time.time", lambda: here + fast_s)
    authority = certificates.ForeignAuthority()
    shown = authority.impostor("spiffe://cluster.local/ns/a/sa/b").pem
    for text in (authority.roots, shown):
        made = x509.load_pem_x509_certificate(text.encode())
        moment = datetime.datetime.fromtimestamp(here, datetime.UTC)
        assert made.not_valid_before_utc < moment < made.not_valid_after_utc
