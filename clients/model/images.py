"""Logical names of images, as manifests have them (`image: meshproof/sleep`)."""

from __future__ import annotations

SHOP = (
    "adservice",
    "cartservice",
    "checkoutservice",
    "currencyservice",
    "emailservice",
    "frontend",
    "loadgenerator",
    "paymentservice",
    "productcatalogservice",
    "recommendationservice",
    "shippingservice",
)
"""Services of Online Boutique; also the names of its images."""
