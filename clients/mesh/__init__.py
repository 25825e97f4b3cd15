"""Which mesh it is and what it says: discovery, configuration and logs of its proxies, istioctl."""
