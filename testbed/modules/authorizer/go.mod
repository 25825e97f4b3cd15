module meshproof.testbed/authorizer

go 1.25.0

tool meshproof.testbed/authorizer
