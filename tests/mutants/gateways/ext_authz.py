"""Mutants of external authorization: its server is not asked, or the mesh lets pass what it cannot ask about."""

from __future__ import annotations

import yaml

from clients.proof.rig.rig import Rig
from suites.front import test_custom
from suites.front.custom import ALLOWED
from tests.mutants import outside
from tests.mutants.entry import FAIL, Area, cases, mutant
from tests.mutants.mutant import Mutant, Object, of_kind
from tests.mutants.places import FRONT

NOT_SHOWN = ("no header", "another value", "dots in the path", *test_custom.OTHERWISE, *test_custom.OTHER_PATHS)


@mutant(
    "ext-authz-not-asked",
    Area.AUTHORIZATION,
    FRONT,
    cases("X-CUSTOM-06", FAIL) | {f"X-CUSTOM-02[{variant}]": FAIL for variant in NOT_SHOWN},
    {"X-CUSTOM-02[no header]": "settled 1"},
)
def server_not_asked(objects: list[Object]) -> None:
    """The external authorization server is there, and the gateway asks it about other paths."""
    for body in of_kind(objects, "AuthorizationPolicy", "ext-authz"):
        body["spec"]["rules"][0]["to"][0]["operation"] = {"paths": ["/nowhere"]}


@mutant(
    "ext-authz-fails-open",
    Area.AUTHORIZATION,
    FRONT,
    {f"X-CUSTOM-05[what it would {verb}]": FAIL for verb in ("allow", "refuse")},
    {"X-CUSTOM-05[what it would refuse]": "saw 200"},
    nightly=True,
)
class FailsOpen(Mutant):
    """The mesh's configuration lets requests pass while the external authorization server is down."""

    _SURELY = 30
    """Answers in a row after which every thread of every replica of the gateway has the change."""

    def __init__(self) -> None:
        self._before = ""

    def entered(self, rig: Rig) -> None:
        self._before = self._mesh()["data"]["mesh"]
        mesh = yaml.safe_load(self._before)
        for provider in mesh["extensionProviders"]:
            provider["envoyExtAuthzHttp"]["failOpen"] = True
        self._write(yaml.safe_dump(mesh))

        def open_wide() -> bool:
            return all(outcome.status == 200 for outcome in rig.prober.probe(ALLOWED, "mutant", self._SURELY))

        outside.wait("the gateway to let everything pass", open_wide)

    def undo(self) -> None:
        if self._before:
            self._write(self._before)
        self._before = ""

    @staticmethod
    def _mesh() -> Object:
        found = outside.administrator().get("v1", "ConfigMap", "istio", "istio-system")
        assert found is not None
        return found

    @staticmethod
    def _write(mesh: str) -> None:
        outside.administrator().patch("v1", "ConfigMap", "istio", "istio-system", {"data": {"mesh": mesh}})
