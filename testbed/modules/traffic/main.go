// Held traffic: a server that echoes, and a sender that keeps flows of requests going and accounts for each of them.
//
//	traffic serve              HTTP/1.1 and HTTP/2, WebSocket, gRPC and TCP, until SIGTERM
//	traffic send               the flows of FLOWS whose `by` is BY, until SIGTERM
//	traffic begin              tells the first process of this container to begin its account from here on
//
// What a sender has seen is in a ConfigMap of its own (see ledger.go), which outlives the pod and every other process.
package main

import (
	"encoding/json"
	"log"
	"os"
	"runtime"
	"syscall"
	"time"
)

// A flow is a steady stream of requests of one kind. Both ends read the same list.
type flow struct {
	Name     string  `json:"name"`
	By       string  `json:"by"`       // which sender sends it
	Protocol string  `json:"protocol"` // http1, http2, grpc, tcp, websocket
	Kept     bool    `json:"kept"`     // one connection is kept open; else each request has a fresh one
	Address  string  `json:"address"`  // host:port
	Host     string  `json:"host"`     // of HTTP, where it is not that of the address
	Path     string  `json:"path"`
	Denied   string  `json:"denied"` // the outcome that a denial must have; empty where requests are allowed
	Token    bool    `json:"token"`  // it sends the token of the file TOKEN
	Rate     float64 `json:"rate"`   // requests per second
}

// due is the outcome that each request of the flow must have.
func (f flow) due() string {
	if f.Denied != "" {
		return f.Denied
	}
	return answered
}

func flows() []flow {
	var found []flow
	text, err := os.ReadFile(os.Getenv("FLOWS"))
	must(err)
	must(json.Unmarshal(text, &found))
	return found
}

func main() {
	log.SetFlags(log.LUTC | log.Ltime | log.Lmicroseconds)
	log.SetOutput(os.Stdout)
	role := ""
	if len(os.Args) == 2 {
		role = os.Args[1]
	}
	switch role {
	case "serve":
		sleepLonger()
		serve()
	case "send":
		sleepLonger()
		send()
	case "begin":
		must(syscall.Kill(1, syscall.SIGHUP))
	default:
		log.Fatalf("%q is no role: serve, send or begin", role)
	}
}

// sleepLonger lets every thread of this process sleep up to 2 ms longer than it asks for: the monitor of Go's runtime
// asks for 20 µs, again and again as long as anything runs, which takes a fifth of a processor time that is small
// otherwise. A thread passes its slack on to those that it starts, and keeps it when the program is executed again.
func sleepLonger() {
	const slack = 2 * time.Millisecond
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if now, _, _ := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_GET_TIMERSLACK, 0, 0); time.Duration(now) == slack {
		return
	}
	if _, _, failed := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_TIMERSLACK, uintptr(slack), 0); failed != 0 {
		return // it costs more then, and does the same
	}
	own, err := os.Executable()
	must(err)
	must(syscall.Exec(own, os.Args, os.Environ()))
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
