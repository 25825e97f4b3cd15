"""The egress tutorial (`EGR-…`): what leaves the mesh leaves by one gateway, and the ways around it."""
