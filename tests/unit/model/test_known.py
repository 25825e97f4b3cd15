"""Entries of known failures: which cases they are about, for which mesh, and until when."""

from __future__ import annotations

import pytest

from clients.model.known import Advisory, KnownFailure, excusing

pytestmark = pytest.mark.unit


def entry(control: str = "LAB-JWT-04", **rest: str) -> KnownFailure:
    return KnownFailure(**{"control": control, "owner": "us", "link": "https://x", "until": "2026-11-30", **rest})


@pytest.mark.parametrize(
    ("control", "about", "not_about"),
    [
        ("LAB-JWT-04", ("LAB-JWT-04", "LAB-JWT-04[expired]"), ("LAB-JWT-040", "LAB-JWT-05", "LAB-JWT-0")),
        ("LAB-JWT-04[expired]", ("LAB-JWT-04[expired]",), ("LAB-JWT-04", "LAB-JWT-04[expired-long-ago]")),
        ("LAB-JWT-04[ex*]", ("LAB-JWT-04[expired]", "LAB-JWT-04[ex]"), ("LAB-JWT-04", "LAB-JWT-04[foreign-key]")),
        ("LAB-JWT-*", ("LAB-JWT-04", "LAB-JWT-04[expired]"), ("LAB-JWTX-01", "LAB-MTLS-01")),
    ],
)
def test_the_cases_that_a_name_is_about(control: str, about: tuple[str, ...], not_about: tuple[str, ...]) -> None:
    assert all(entry(control).names(case) for case in about)
    assert not any(entry(control).names(case) for case in not_about)


@pytest.mark.parametrize(
    ("mesh", "version", "fits"),
    [
        ("", "1.31.1", True),
        ("", "", True),
        ("1.29", "1.29.1", True),
        ("1.29.1", "1.29.1", True),
        ("1.29.1", "1.29.10", False),
        ("1.2", "1.29.1", False),
        ("1.29", "1.31.1", False),
        ("1.29", "", False),
    ],
)
def test_the_mesh_that_an_entry_is_about(mesh: str, version: str, fits: bool) -> None:
    assert entry(mesh=mesh).fits(version) is fits


@pytest.mark.parametrize(
    ("day", "expired"),
    [("2026-11-29", False), ("2026-11-30T23:59:59Z", False), ("2026-12-01T00:00:00Z", True), ("2027-01-01", True)],
)
def test_the_last_day_still_counts(day: str, expired: bool) -> None:
    assert entry().expired(day) is expired
    assert bool(excusing([entry()], "LAB-JWT-04", observed="", mesh="", day=day)) is not expired


def test_only_what_was_observed_is_excused_where_it_is_stated() -> None:
    entries = [entry(observed="200"), entry(observed="", control="LAB-JWT-05")]

    def found(case: str, observed: str) -> KnownFailure | None:
        return excusing(entries, case, observed=observed, mesh="", day="2026-11-30")

    assert found("LAB-JWT-04", "200") is entries[0]
    assert found("LAB-JWT-04", "503") is None
    assert found("LAB-JWT-05", "503") is entries[1]


def test_what_a_mesh_is_open_to() -> None:
    assert Advisory("CVE-1", "https://x", ("1.2", "1.3")).opened("saw 200") == (
        "open to CVE-1; patched in 1.2, 1.3; saw 200"
    )
    several = Advisory("CVE-1", "https://x", ("1.28.6", "1.29.2"))
    assert several.opened("saw 200", "1.29.1") == "open to CVE-1; patched in 1.28.6, 1.29.2; saw 200"
    assert several.opened("saw 200", "1.31.1-asm.3") == (
        "open to CVE-1; patched in 1.28.6, 1.29.2, no release is listed for 1.31; saw 200"
    )
    assert several.opened("saw 200", "1.2.9").endswith("no release is listed for 1.2; saw 200")
    assert Advisory("CVE-1", "https://x").opened("saw 200") == "open to CVE-1; no patch is known; saw 200"
