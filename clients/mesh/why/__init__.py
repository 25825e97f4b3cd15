"""Why a policy did not do what its author meant: detectors over the objects, one request, and the proxies' logs."""
