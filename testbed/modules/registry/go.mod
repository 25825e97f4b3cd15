module meshproof.testbed/registry

go 1.25.0

tool meshproof.testbed/registry
