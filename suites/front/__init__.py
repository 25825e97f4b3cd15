"""The front door (`CRA-…`): an ingress gateway that routes to two applications and demands a token below /api/."""
