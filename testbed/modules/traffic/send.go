package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	answered = "answered"       // the server's own answer to this very request came
	patience = 10 * time.Second // a machine without time for it is slow, and loses nothing
)

// A way sends one request over the kept connection, or over a fresh one, and says what came of it and whether it made a
// connection. Only one goroutine uses it.
type way interface {
	request(ctx context.Context, nonce string) (outcome string, connected bool)
	drop() // closes the connection, where there is one
}

var ways = map[string]func(flow) way{
	"http1": newHTTP, "http2": newHTTP, "grpc": newGRPC, "tcp": newTCP, "websocket": newWebSocket,
}

func send() {
	seen := newAccounts()
	book := openLedger(seen)
	stop, written := make(chan struct{}), make(chan struct{})
	var senders sync.WaitGroup
	origin := time.Now()
	origin = origin.Add(-time.Duration(origin.Nanosecond())) // a whole second, as in every client
	for _, one := range flows() {
		if one.By == os.Getenv("BY") {
			senders.Go(func() { keepGoing(one, seen, origin, stop) })
		}
	}
	ended := make(chan struct{})
	go func() { book.keep(ended); close(written) }()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	for got := range signals {
		if got != syscall.SIGHUP {
			break
		}
		seen.begin()
	}
	close(stop)
	senders.Wait()
	close(ended)
	<-written
}

// keepGoing sends the flow's requests one after the other, at its rate, until it is stopped. All flows count from one
// moment: requests that are due together wake each client, proxy and server once.
func keepGoing(f flow, seen *accounts, origin time.Time, stop <-chan struct{}) {
	make, known := ways[f.Protocol]
	if !known {
		must(fmt.Errorf("flow %s: %q is no protocol", f.Name, f.Protocol))
	}
	one := make(f)
	defer one.drop()
	interval := time.Duration(float64(time.Second) / f.Rate)
	due := next(origin, interval, time.Now())
	ticks := time.NewTimer(time.Until(due))
	defer ticks.Stop()
	for number := 0; ; number++ {
		select {
		case <-stop:
			return
		case <-ticks.C:
		}
		nonce := fmt.Sprintf("%s-%d-%08x", f.Name, number, rand.Uint32())
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		sent := time.Now()
		outcome, connected := one.request(ctx, nonce)
		cancel()
		if !f.Kept {
			one.drop()
		}
		seen.note(f, outcome, sent, time.Now(), connected)
		due = next(due, interval, time.Now())
		ticks.Reset(time.Until(due))
	}
}

// next is when the flow's next request is due. Those that a slow answer has kept from being sent are left out, but for
// the last of them.
func next(due time.Time, interval time.Duration, now time.Time) time.Time {
	due = due.Add(interval)
	if late := now.Sub(due); late > interval {
		due = due.Add(late.Truncate(interval))
	}
	return due
}

// failure is the kind of an error on the way: what the connection did, not what a server said.
func failure(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	text := err.Error()
	switch {
	case errors.As(err, &dns):
		return "dns"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed), strings.Contains(text, "EOF"),
		strings.Contains(text, "connection reset"), strings.Contains(text, "client connection lost"),
		strings.Contains(text, "GOAWAY"), strings.Contains(text, "server closed"), strings.Contains(text, "preface"):
		return "closed"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "unreachable"
	}
	return "error: " + text[:min(len(text), 80)]
}
