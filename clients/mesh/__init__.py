"""The mesh of a cluster: discovery, configuration and logs of its proxies, istioctl."""
