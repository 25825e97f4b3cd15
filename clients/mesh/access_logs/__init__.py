"""The access logs of proxies: format, lines, reading and following."""
