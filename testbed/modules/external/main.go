// The external hosts of the testbed: one server that answers for all of them by HTTP, HTTPS and UDP, and writes down who came.
package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mccutchen/go-httpbin/v2/httpbin"
)

const patience = 10 * time.Second

// host is one name with the certificate that it shows, whether a client should accept that or not.
type host struct {
	Name        string   `json:"name"`
	Addresses   []string `json:"addresses"`
	Certificate string   `json:"certificate"`
	Key         string   `json:"key"`
	AnyName     bool     `json:"any_name"` // at its addresses it shows this certificate whatever name is asked for
}

// entry is one line of the log: a request, or a TLS handshake that failed or was followed by no request.
type entry struct {
	Time       string `json:"time"`
	Event      string `json:"event"`
	Peer       string `json:"peer"`
	Local      string `json:"local"`
	TLS        bool   `json:"tls"`
	SNI        string `json:"sni"`
	ClientCert bool   `json:"client_cert"`
	ALPN       string `json:"alpn"`
	Method     string `json:"method"`
	Host       string `json:"host"`
	Path       string `json:"path"`
	Proto      string `json:"proto"`
	Status     int    `json:"status"`
	RequestID  string `json:"request_id"`
	UserAgent  string `json:"user_agent"`
	Error      string `json:"error"`
}

// journal writes whole lines at once: a reader never waits for a buffer and never sees half a line.
type journal struct {
	file   *os.File
	lock   sync.Mutex
	silent map[string]entry // peer → its finished handshake, until its first request
}

func (j *journal) write(e entry) {
	e.Time = time.Now().UTC().Format(time.RFC3339Nano)
	line, _ := json.Marshal(e)
	j.lock.Lock()
	defer j.lock.Unlock()
	delete(j.silent, e.Peer)
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		log.Fatal(err) // a server without a log would prove that nobody came
	}
}

func (j *journal) shaken(e entry) {
	j.lock.Lock()
	defer j.lock.Unlock()
	j.silent[e.Peer] = e
}

// closed logs who went away after the handshake: some clients look at the certificate's name only then.
func (j *journal) closed(connection net.Conn, state http.ConnState) {
	if state != http.StateClosed {
		return
	}
	j.lock.Lock()
	e, found := j.silent[connection.RemoteAddr().String()]
	j.lock.Unlock()
	if found {
		e.Error = "the client left after the handshake, without a request"
		j.write(e)
	}
}

// recorder logs a request as soon as its status is known, before the client can have the answer.
type recorder struct {
	http.ResponseWriter
	done  bool
	write func(status int)
}

func (r *recorder) WriteHeader(status int) {
	if !r.done && (status >= 200 || status == http.StatusSwitchingProtocols) {
		r.done = true
		r.write(status)
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(data []byte) (int, error) {
	if !r.done {
		r.WriteHeader(http.StatusOK)
	}
	return r.ResponseWriter.Write(data)
}

func (r *recorder) Flush() { r.ResponseWriter.(http.Flusher).Flush() }

func (r *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return r.ResponseWriter.(http.Hijacker).Hijack()
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func logged(j *journal, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := entry{Event: "request", Peer: r.RemoteAddr, Method: r.Method, Host: r.Host, Path: r.URL.RequestURI(), Proto: r.Proto}
		e.RequestID, e.UserAgent = r.Header.Get("X-Request-Id"), r.UserAgent()
		if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
			e.Local = local.String()
		}
		if r.TLS != nil {
			e.TLS, e.SNI, e.ALPN = true, r.TLS.ServerName, r.TLS.NegotiatedProtocol
			e.ClientCert = len(r.TLS.PeerCertificates) > 0
		}
		seen := &recorder{ResponseWriter: w, write: func(status int) { e.Status = status; j.write(e) }}
		next.ServeHTTP(seen, r)
		if !seen.done {
			seen.WriteHeader(http.StatusOK)
		}
	})
}

// listen opens the ports at the hosts' own addresses: others in the same network, as an istiod outside the cluster, may
// have theirs at the same ports.
func listen(hosts []host, ports ...string) []net.Listener {
	var opened []net.Listener
	known := map[string]bool{}
	for _, one := range hosts {
		for _, address := range one.Addresses {
			for _, port := range ports {
				if to := net.JoinHostPort(address, port); !known[to] {
					known[to] = true
					listener, err := net.Listen("tcp4", to)
					must(err)
					opened = append(opened, listener)
				}
			}
		}
	}
	return opened
}

// handshakes is a listener of finished TLS connections: it shakes hands itself, so that it knows the SNI of those that fail.
type handshakes struct {
	address net.Addr
	ready   chan net.Conn
	journal *journal
	hosts   []host
	pairs   map[string]*tls.Certificate
}

func (h *handshakes) Accept() (net.Conn, error) {
	return <-h.ready, nil
}

func (h *handshakes) Addr() net.Addr { return h.address }

func (h *handshakes) Close() error { return nil } // the process is ended by a signal

func (h *handshakes) run(listener net.Listener) {
	for {
		raw, err := listener.Accept()
		if err != nil {
			log.Print(err)
			time.Sleep(10 * time.Millisecond)
			continue
		}
		go h.shake(raw)
	}
}

func (h *handshakes) shake(raw net.Conn) {
	e := entry{Event: "handshake", Peer: raw.RemoteAddr().String(), Local: raw.LocalAddr().String(), TLS: true}
	config := &tls.Config{NextProtos: []string{"h2", "http/1.1"}, ClientAuth: tls.RequestClientCert}
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		e.SNI = hello.ServerName
		return h.choose(hello.ServerName, raw.LocalAddr().(*net.TCPAddr).IP.String())
	}
	connection := tls.Server(raw, config)
	_ = raw.SetDeadline(time.Now().Add(patience))
	if err := connection.Handshake(); err != nil {
		e.Error = err.Error()
		h.journal.write(e)
		var record tls.RecordHeaderError
		if errors.As(err, &record) && record.Conn != nil { // plain HTTP is told so, as every real server does
			_, _ = io.WriteString(record.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nplain HTTP was sent to an HTTPS port\n")
		}
		_ = raw.Close()
		return
	}
	_ = raw.SetDeadline(time.Time{})
	state := connection.ConnectionState()
	e.ALPN, e.ClientCert = state.NegotiatedProtocol, len(state.PeerCertificates) > 0
	h.journal.shaken(e)
	h.ready <- connection
}

// choose finds the certificate by SNI; a client without one, or with a name that is not ours, gets that of the address.
func (h *handshakes) choose(name, address string) (*tls.Certificate, error) {
	there := slices.IndexFunc(h.hosts, func(one host) bool { return slices.Contains(one.Addresses, address) })
	pair, known := h.pairs[strings.ToLower(name)]
	if known && !(there >= 0 && h.hosts[there].AnyName) {
		return pair, nil
	}
	if there < 0 {
		return nil, fmt.Errorf("no certificate for %q at %s", name, address)
	}
	return h.pairs[h.hosts[there].Name], nil
}

func main() {
	table := flag.String("hosts", "", "JSON file: [{name, addresses, certificate, key}]")
	output := flag.String("log", "", "file to which a line of JSON is added for each request")
	flag.Parse()
	var hosts []host
	content, err := os.ReadFile(*table)
	if err == nil {
		err = json.Unmarshal(content, &hosts)
	}
	must(err)
	pairs := map[string]*tls.Certificate{}
	for _, one := range hosts {
		pair, err := tls.LoadX509KeyPair(one.Certificate, one.Key)
		must(err)
		pairs[one.Name] = &pair
	}
	// policies name no port 8080; they open 53 for DNS, 988 for GKE's metadata server, 15012 for the control plane
	plain := listen(hosts, "80", "8080", "53", "988", "15012")
	secure := listen(hosts, "443")
	sockets := append(listenForDatagrams(hosts, "443"), listenForDatagrams(hosts, "53")...)
	// that the log exists says that the server is there
	file, err := os.OpenFile(*output, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	must(err)
	j := &journal{file: file, silent: map[string]entry{}}
	handler := logged(j, google(httpbin.New(httpbin.WithHostname("external"))))
	shaken := &handshakes{address: secure[0].Addr(), ready: make(chan net.Conn), journal: j, hosts: hosts, pairs: pairs}
	for _, listener := range secure {
		go shaken.run(listener)
	}
	for _, listener := range plain {
		go func() { must((&http.Server{Handler: handler, ReadHeaderTimeout: patience}).Serve(listener)) }()
	}
	for _, socket := range sockets {
		go datagrams(j, socket)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: patience, ConnState: j.closed}
	server.TLSConfig = &tls.Config{NextProtos: []string{"h2", "http/1.1"}} // without it the server would not speak HTTP/2
	must(server.Serve(shaken))
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
