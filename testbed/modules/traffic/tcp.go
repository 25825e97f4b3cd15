package main

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"time"
)

// A quiet connection can say whether the other end has closed it, while no request is on its way. Clients make another
// one then; nothing is lost by it.
type quiet struct {
	net.Conn
	reader *bufio.Reader
}

func dial(ctx context.Context, network, address string) (net.Conn, error) {
	made, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &quiet{made, bufio.NewReader(made)}, nil
}

func (q *quiet) Read(into []byte) (int, error) { return q.reader.Read(into) }

func (q *quiet) ended() bool {
	_ = q.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := q.reader.Peek(1)
	_ = q.SetReadDeadline(time.Time{})
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

// tcpWay sends lines over TCP, and the name of the flow first.
type tcpWay struct {
	flow       flow
	connection *quiet
}

func newTCP(f flow) way { return &tcpWay{flow: f} }

func (w *tcpWay) drop() {
	if w.connection != nil {
		_ = w.connection.Close()
		w.connection = nil
	}
}

func (w *tcpWay) request(ctx context.Context, nonce string) (outcome string, connected bool) {
	if w.connection != nil && w.connection.ended() {
		w.drop()
	}
	if w.connection == nil {
		connected = true
		made, err := dial(ctx, "tcp", w.flow.Address)
		if err != nil {
			return failure(err), connected
		}
		w.connection = made.(*quiet)
	}
	deadline, _ := ctx.Deadline()
	_ = w.connection.SetDeadline(deadline)
	_, err := w.connection.Write([]byte(nonce + "\n"))
	var text string
	if err == nil {
		text, err = w.connection.reader.ReadString('\n')
	}
	if err != nil {
		w.drop()
		return failure(err), connected
	}
	said, last := strings.CutSuffix(strings.TrimSpace(text), goodbye)
	if last {
		w.drop()
	}
	if said != nonce {
		return "another answer", connected
	}
	return answered, connected
}
