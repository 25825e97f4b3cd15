module meshproof.testbed/external

go 1.25.0

tool meshproof.testbed/external

require github.com/mccutchen/go-httpbin/v2 v2.25.0
