"""Images of the workloads."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict

from runner.config.texts import formed

_HOST = r"([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(:\d+)?"
_PATH = r"[a-z0-9]+([._-]+[a-z0-9]+)*"
MIRROR = rf"({_HOST}(/{_PATH})*/?)?"
"""A registry, with a path in it or not."""
REFERENCE = rf"(({_HOST}/)?{_PATH}(/{_PATH})*(:\w[\w.-]{{0,127}})?(@[a-z0-9]+:[0-9a-f]{{32,128}})?)?"
"""As registries have it (github.com/distribution/reference)."""
Image = Annotated[str, formed(REFERENCE, "an image, for instance registry.example.com/tools/curl:8.16.0")]


class Images(BaseModel):
    """Image references for the manifests' logical names; empty takes the target's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sleep: Image = ""
    httpbin: Image = ""
    envoy: Image = ""
    adservice: Image = ""
    cartservice: Image = ""
    checkoutservice: Image = ""
    currencyservice: Image = ""
    emailservice: Image = ""
    frontend: Image = ""
    loadgenerator: Image = ""
    paymentservice: Image = ""
    productcatalogservice: Image = ""
    recommendationservice: Image = ""
    shippingservice: Image = ""
    porter: Image = ""
    traffic: Image = ""

    @property
    def given(self) -> dict[str, str]:
        """Those that are set."""
        return {name: image for name, image in self.model_dump().items() if image}
