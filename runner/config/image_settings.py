"""Images of the workloads."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


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
    traffic: str = ""

    @property
    def given(self) -> dict[str, str]:
        """Those that are set."""
        return {name: image for name, image in self.model_dump().items() if image}
