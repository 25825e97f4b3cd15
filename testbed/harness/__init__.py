"""The harness's own image: a root file system with Python and the locked packages, and this checkout on top of it."""
