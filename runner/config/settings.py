"""One typed settings object. Precedence: command line, environment (`MESHPROOF_*`), file (`meshproof.toml`), default.

A misspelt setting is an error, wherever it stands, and the nearest name is offered.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from clients.model.errors import SettingsError
from clients.probe.converge import ConvergencePolicy
from runner.config.identity_settings import Identity

ROOT = Path(__file__).resolve().parent.parent.parent
PREFIX = "MESHPROOF_"
FILE_VARIABLE = "MESHPROOF_CONFIG"
_UNTOLD = frozenset({"identity", "iap"})
"""Settings whose values are not repeated in errors: somebody may have put a token there."""
NOT_SETTINGS = frozenset({FILE_VARIABLE, "MESHPROOF_CACHE_DIR"})
FILE_NAME = "meshproof.toml"


class TargetKind(StrEnum):
    """What cluster is under test."""

    EMBEDDED = "embedded"
    KIND = "kind"
    LIVE = "live"


class Images(BaseModel):
    """Image references for the manifests' logical names; empty takes the target's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sleep: str = ""
    httpbin: str = ""
    envoy: str = ""
    adservice: str = ""
    cartservice: str = ""
    checkoutservice: str = ""
    currencyservice: str = ""
    emailservice: str = ""
    frontend: str = ""
    loadgenerator: str = ""
    paymentservice: str = ""
    productcatalogservice: str = ""
    recommendationservice: str = ""
    shippingservice: str = ""
    porter: str = ""


class Hosts(StrEnum):
    """Which external hosts requests go to."""

    HERMETIC = "hermetic"
    INTERNET = "internet"


class Egress(BaseModel):
    """The egress gateway under test; without a namespace the suites deploy one of their own.

    Attributes:
        namespace: where the user's gateway runs; its policies and routes are made there, and removed.
        service: name of its Service.
        label: `key=value` by which Gateway objects select its pods.
        http_port: its pods' port behind the Service's port 80.
        tls_port: its pods' port behind 443.
        blocked: the network lets only the gateway reach external hosts (firewall rules).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    namespace: str = Field(default="", pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$")
    service: str = "istio-egressgateway"
    label: str = Field(default="istio=egressgateway", pattern=r"^[^=]+=[^=]+$")
    http_port: int = Field(default=8080, ge=1, le=65535)
    tls_port: int = Field(default=8443, ge=1, le=65535)
    blocked: bool = False


class Settings(BaseSettings):
    """Everything that can be set.

    Attributes:
        target: `embedded` starts the testbed if needed; naming a context or a kubeconfig means `live` (or `kind`).
        revision: labels namespaces `istio.io/rev=…`; empty: found out where there is just one.
        istio: version line of the embedded mesh (`1.31`); empty for the default one.
        workers: test processes; 0 runs everything in one.
        allow_mesh_wide: run controls that change the whole mesh on a cluster that is not the embedded one.
        enforce: a missing capability fails the control instead of skipping it.
        keep: leave a stage's objects in place after a failure, for a look; `meshproof cleanup` removes them.
        shuffle: seed of a random order of modules and of cases in them; None keeps the order of the documents.
        confirmations: overrides the derived number of consecutive matches.
        hosts: external hosts: the testbed's own (embedded target, its default), or those of the internet (other
            targets, only when asked for); none of either skips what needs them.
        egress: the egress gateway.
        istioctl: the program, for `istioctl analyze`; empty for the testbed's own, or the one on the PATH.
        ingress_address: where the ingress gateway is reached from outside; empty asks its Service.
        identity: issuer of the front door's tokens (suite `front`).
        iap: issuer of IAP's tokens (suite `iap`); its audience is the document's `RCTOKEN_AUD`.
        archives: image archives to load into a kind cluster (`kind load image-archive`).
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    target: TargetKind = TargetKind.EMBEDDED
    context: str = ""
    kubeconfig: Path | None = None
    revision: str = Field(default="", pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$")
    istio: str = Field(default="", pattern=r"^(\d+\.\d+(\.\d+)?)?$")
    workers: int = Field(default=0, ge=0, le=64)
    allow_mesh_wide: bool = False
    enforce: bool = False
    keep: bool = False
    shuffle: int | None = None
    budget_s: float = Field(default=ConvergencePolicy.budget_s, gt=0)
    poll_s: float = Field(default=ConvergencePolicy.poll_s, gt=0)
    window_s: float = Field(default=ConvergencePolicy.window_s, ge=0)
    error_rate: float = Field(default=ConvergencePolicy.error_rate, gt=0, lt=1)
    confirmations: int | None = Field(default=None, ge=1)
    out: Path = ROOT / "reports" / "out"
    ingress_address: str = ""
    images: Images = Images()
    hosts: Hosts | None = None
    egress: Egress = Egress()
    istioctl: Path | None = None
    identity: Identity = Identity()
    iap: Identity = Identity()
    archives: tuple[Path, ...] = ()

    @property
    def policy(self) -> ConvergencePolicy:
        """How convergence is judged."""
        return ConvergencePolicy(self.budget_s, self.poll_s, self.window_s, self.error_rate, self.confirmations)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line (what is passed in), environment, file; no dotenv, no secrets folder."""
        path = settings_file()
        file = (TomlConfigSettingsSource(settings_cls, path),) if path else ()
        return (init_settings, env_settings, *file)

    @model_validator(mode="after")
    def _target_agrees(self) -> Self:
        if self.target is TargetKind.EMBEDDED and (self.context or self.kubeconfig):
            raise ValueError("a context or kubeconfig is for --target live or kind; the embedded target has its own")
        if self.hosts is Hosts.INTERNET and self.target is TargetKind.EMBEDDED:
            raise ValueError("the embedded target has no way to the internet; it has hosts of its own")
        if self.hosts is Hosts.HERMETIC and self.target is not TargetKind.EMBEDDED:
            raise ValueError("only the embedded target has hosts of its own; use --hosts internet")
        if self.istioctl and not self.istioctl.is_file():
            raise ValueError(f"istioctl names {self.istioctl}, which is no file")
        if self.target is TargetKind.KIND and self.context and not self.context.startswith("kind-"):
            raise ValueError(f"the context of a kind cluster is named kind-…, not {self.context}")
        return self


def load(given: Mapping[str, Any] | None = None) -> Settings:
    """The settings of this process. `given` holds what the command line says; None values there mean 'not given'.

    Raises:
        SettingsError: a name is unknown, a value cannot be used, or the file cannot be read.
    """
    explicit = {name: value for name, value in (given or {}).items() if value is not None}
    refuse_unknown_variables(os.environ)
    try:
        return Settings(**_with_target(explicit))
    except ValidationError as error:
        raise SettingsError(*_explain(error)) from None
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"the settings file {settings_file()} cannot be read: {error}") from None


def settings_file() -> Path | None:
    """The file that `MESHPROOF_CONFIG` names, or `meshproof.toml` in the working folder or the checkout.

    Raises:
        SettingsError: the named file does not exist.
    """
    named = os.environ.get(FILE_VARIABLE)
    if named:
        if not Path(named).is_file():
            raise SettingsError(f"{FILE_VARIABLE} names {named}, which is no file", "name an existing file or unset it")
        return Path(named)
    return next((path for path in (Path.cwd() / FILE_NAME, ROOT / FILE_NAME) if path.is_file()), None)


def refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    """A `MESHPROOF_*` variable that names no setting is a mistake (pydantic-settings would ignore it).

    Raises:
        SettingsError: there is one.
    """
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | NOT_SETTINGS
    for name in environment:
        if name.startswith(PREFIX) and name.split("__", 1)[0] not in known:
            raise SettingsError(f"the environment variable {name} is no setting", _did_you_mean(name, known))


def _with_target(explicit: dict[str, Any]) -> dict[str, Any]:
    """A context or kubeconfig given without a target means a live (or kind) one."""
    environment = {name: os.environ.get(f"{PREFIX}{name.upper()}") for name in ("target", "context", "kubeconfig")}
    from_file = _file_values()
    said = {**from_file, **{k: v for k, v in environment.items() if v}, **explicit}
    if said.get("target") or not (said.get("context") or said.get("kubeconfig")):
        return explicit
    kind = str(said.get("context", "")).startswith("kind-")
    return {**explicit, "target": TargetKind.KIND if kind else TargetKind.LIVE}


def _file_values() -> dict[str, Any]:
    path = settings_file()
    return tomllib.loads(path.read_text()) if path else {}


def _explain(error: ValidationError) -> tuple[str, str]:
    first = error.errors()[0]
    name = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        nested: dict[str, type[BaseModel]] = {
            "images": Images,
            "egress": Egress,
            "identity": Identity,
            "iap": Identity,
        }
        fields = nested[name.split(".")[0]].model_fields if "." in name else Settings.model_fields
        return f"there is no setting {name}", _did_you_mean(name.rsplit(".", 1)[-1], set(fields))
    value = "" if name == "" or first["loc"][0] in _UNTOLD else f" ({first['input']!r})"
    said = re.sub(r"^Value error, ", "", first["msg"])
    return (f"the setting {name}{value} cannot be used: {said}" if name else said), ""


def _did_you_mean(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
