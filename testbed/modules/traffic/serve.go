package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	goodbye = " goodbye" // what the last answer of an ending server ends with, where a protocol has no such word
	// From SIGTERM on the server still takes connections, until every proxy knows that it is going.
	lingers = 4 * time.Second
	closes  = 10 * time.Second // kept connections end with their next answer, or are cut then
)

var (
	ending atomic.Bool
	kept   atomic.Int64 // connections and streams that are open
)

// arrivals counts what must never arrive: requests of denied flows.
type arrivals struct {
	seen   *accounts
	denied map[string]flow
}

func (a *arrivals) note(name string) {
	if f, denied := a.denied[name]; denied {
		a.seen.note(f, "arrived", time.Now(), time.Now(), false)
	}
}

var came = &arrivals{newAccounts(), map[string]flow{}}

func serve() {
	for _, one := range flows() {
		if one.Denied != "" {
			came.denied[one.Name] = one
		}
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	web := &http.Server{Addr: ":8080", Handler: http.HandlerFunc(echo), Protocols: protocols}
	go func() { ended(web.ListenAndServe()) }()
	calls := grpc.NewServer()
	calls.RegisterService(&grpc.ServiceDesc{
		ServiceName: strings.Split(streamMethod, "/")[1], HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{streamDescription},
	}, struct{}{})
	go func() { ended(calls.Serve(listen(":9090"))) }()
	lines := listen(":9000")
	go serveLines(lines)
	stop, written := make(chan struct{}), make(chan struct{})
	book := openLedger(came.seen)
	go func() { book.keep(stop); close(written) }()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	for got := range signals {
		if got != syscall.SIGHUP {
			break
		}
		came.seen.begin()
	}
	time.Sleep(lingers)
	ending.Store(true)
	for until := time.Now().Add(closes); kept.Load() > 0 && time.Now().Before(until); {
		time.Sleep(50 * time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(context.Background(), closes)
	defer cancel()
	_ = web.Shutdown(ctx)
	after := time.AfterFunc(closes, calls.Stop)
	calls.GracefulStop()
	after.Stop()
	_ = lines.Close()
	close(stop)
	<-written
}

func listen(address string) net.Listener {
	made, err := net.Listen("tcp", address)
	must(err)
	return made
}

func ended(err error) {
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}

func farewell() string {
	if ending.Load() {
		return goodbye
	}
	return ""
}

func echo(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/health" {
		return
	}
	came.note(r.Header.Get(flowHeader))
	if r.URL.Path == "/direct" { // it should have come through the egress gateway, which changes the path
		http.NotFound(w, r)
		return
	}
	if account, asked := strings.CutPrefix(r.URL.Path, "/identity"); asked {
		if !strings.Contains(r.Header.Get("x-forwarded-client-cert"), "/sa"+account) {
			http.Error(w, "another identity", http.StatusExpectationFailed)
			return
		}
	}
	if websocket.IsWebSocketUpgrade(r) {
		echoMessages(w, r)
		return
	}
	_, _ = fmt.Fprintln(w, r.Header.Get(nonceHeader))
}

func echoMessages(w http.ResponseWriter, r *http.Request) {
	connection, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	kept.Add(1)
	defer kept.Add(-1)
	defer connection.Close()
	for {
		kind, text, err := connection.ReadMessage()
		if err != nil {
			return
		}
		last := farewell()
		if connection.WriteMessage(kind, append(text, last...)) != nil || last != "" {
			return
		}
	}
}

func serveStream(_ any, stream grpc.ServerStream) error {
	kept.Add(1)
	defer kept.Add(-1)
	if head, there := metadata.FromIncomingContext(stream.Context()); there {
		for _, name := range head.Get(flowHeader) {
			came.note(name)
		}
	}
	for {
		message := &wrapperspb.StringValue{}
		if err := stream.RecvMsg(message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		last := farewell()
		if err := stream.SendMsg(wrapperspb.String(message.Value + last)); err != nil || last != "" {
			return err
		}
	}
}

func serveLines(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go echoLines(connection)
	}
}

func echoLines(connection net.Conn) {
	kept.Add(1)
	defer kept.Add(-1)
	defer connection.Close()
	reader := bufio.NewReader(connection)
	for {
		text, err := reader.ReadString('\n')
		if err != nil {
			return
		}
		nonce := strings.TrimSpace(text)
		if words := strings.Split(nonce, "-"); len(words) > 2 { // NAME-NUMBER-RANDOM
			came.note(strings.Join(words[:len(words)-2], "-"))
		}
		last := farewell()
		if _, err := fmt.Fprintf(connection, "%s%s\n", nonce, last); err != nil || last != "" {
			return
		}
	}
}
