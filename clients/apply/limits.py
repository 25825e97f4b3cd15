"""How long objects are waited for when they are applied and deleted, and how many are handled at a time."""

from __future__ import annotations

from dataclasses import dataclass

AT_ONCE = 8
"""Objects that are processed at the same time: each waits for two or three answers of the API server."""


@dataclass(frozen=True)
class Limits:
    """Limits of an `Applier`.

    Attributes:
        timeout_s: time limit for all objects of one `apply` to be ready, and of one `delete` to be gone.
        load_balancers: something gives Services of type LoadBalancer an address, so it is waited for.
        at_once: number of objects that are checked, created or deleted in parallel; with 1, they follow one another in
            the order that each method states.
    """

    timeout_s: float = 120.0
    load_balancers: bool = False
    at_once: int = AT_ONCE
