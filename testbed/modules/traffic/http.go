package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"

	"github.com/gorilla/websocket"
)

const (
	nonceHeader = "x-hold-nonce"
	flowHeader  = "x-hold-flow"
)

// httpWay sends by HTTP/1.1, or by HTTP/2 without TLS, which the sidecar or a gateway gets as it is.
type httpWay struct {
	flow      flow
	transport *http.Transport
}

func newHTTP(f flow) way {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(f.Protocol == "http1")
	protocols.SetUnencryptedHTTP2(f.Protocol == "http2")
	return &httpWay{f, &http.Transport{
		Protocols: protocols, DisableKeepAlives: !f.Kept && f.Protocol == "http1", MaxConnsPerHost: 1, DialContext: connect,
	}}
}

func (w *httpWay) drop() { w.transport.CloseIdleConnections() }

func (w *httpWay) request(ctx context.Context, nonce string) (string, bool) {
	connected := false
	trace := &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) { connected = connected || !got.Reused }}
	url := "http://" + w.flow.Address + w.flow.Path
	request, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), http.MethodGet, url, nil)
	if err != nil {
		return failure(err), false
	}
	request.Host = w.flow.Host
	request.Header.Set(nonceHeader, nonce)
	request.Header.Set(flowHeader, w.flow.Name)
	if w.flow.Token {
		token, err := os.ReadFile(os.Getenv("TOKEN"))
		if err != nil {
			return failure(err), false
		}
		request.Header.Set("authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	answer, err := w.transport.RoundTrip(request)
	if err != nil {
		return failure(err), connected
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 4096))
	if err != nil {
		return failure(err), connected
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Sprintf("status %d", answer.StatusCode), connected
	}
	if strings.TrimSpace(string(body)) != nonce {
		return "another answer", connected
	}
	return answered, connected
}

// webSocketWay sends messages over a WebSocket.
type webSocketWay struct {
	flow       flow
	connection *websocket.Conn
}

func newWebSocket(f flow) way { return &webSocketWay{flow: f} }

func (w *webSocketWay) drop() {
	if w.connection != nil {
		_ = w.connection.Close()
		w.connection = nil
	}
}

func (w *webSocketWay) request(ctx context.Context, nonce string) (outcome string, connected bool) {
	if w.connection != nil && w.connection.NetConn().(*quiet).ended() {
		w.drop()
	}
	if w.connection == nil {
		connected = true
		if outcome := w.connect(ctx); outcome != "" {
			return outcome, connected
		}
	}
	deadline, _ := ctx.Deadline()
	_ = w.connection.SetReadDeadline(deadline)
	err := w.connection.WriteMessage(websocket.TextMessage, []byte(nonce))
	var text []byte
	if err == nil {
		_, text, err = w.connection.ReadMessage()
	}
	if err != nil {
		w.drop()
		return failure(err), connected
	}
	said, last := strings.CutSuffix(string(text), goodbye)
	if last { // the server ends; the next request makes a connection to another
		w.drop()
	}
	if said != nonce {
		return "another answer", connected
	}
	return answered, connected
}

func (w *webSocketWay) connect(ctx context.Context) string {
	header := http.Header{flowHeader: {w.flow.Name}}
	if w.flow.Host != "" {
		header.Set("Host", w.flow.Host)
	}
	dialer := websocket.Dialer{NetDialContext: dial}
	made, answer, err := dialer.DialContext(ctx, "ws://"+w.flow.Address+w.flow.Path, header)
	if err != nil {
		if answer != nil {
			return fmt.Sprintf("status %d", answer.StatusCode)
		}
		return failure(err)
	}
	w.connection = made
	return ""
}
