module meshproof.testbed/httpbin

go 1.25.0

tool github.com/mccutchen/go-httpbin/v2/cmd/go-httpbin

require github.com/mccutchen/go-httpbin/v2 v2.25.0 // indirect
