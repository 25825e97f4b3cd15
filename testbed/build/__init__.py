"""How the parts of the testbed are made: Go programs, wheels, Debian file systems, images."""
