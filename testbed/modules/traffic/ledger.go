package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"time"
)

const (
	identity = "/var/run/secrets/kubernetes.io/serviceaccount/"
	every    = 2 * time.Second
)

// A page is what is kept of one process: a ConfigMap in its own namespace, named by the pod and by when the process
// began. A container that starts again in its pod does not write over what the one before has seen.
type page struct {
	By      string              `json:"by"`
	Pod     string              `json:"pod"`
	Began   int64               `json:"began"`
	Written int64               `json:"written"`
	Ended   bool                `json:"ended"`
	Flows   map[string]*account `json:"flows"`
}

// A ledger writes the accounts of this process to the API server. A write that fails is made up for by the next.
type ledger struct {
	accounts *accounts
	client   *http.Client
	began    int64 // of the process, which an account that begins later does not change
}

func openLedger(a *accounts) *ledger {
	roots := x509.NewCertPool()
	text, err := os.ReadFile(identity + "ca.crt")
	must(err)
	roots.AppendCertsFromPEM(text)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	return &ledger{accounts: a, client: &http.Client{Transport: transport, Timeout: 5 * time.Second}, began: now()}
}

// keep writes at intervals until the channel is closed, and then a last time.
func (l *ledger) keep(ended <-chan struct{}) {
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			if err := l.write(false); err != nil {
				log.Print(err)
			}
		case <-ended:
			for attempt := 0; attempt < 3; attempt++ {
				err := l.write(true)
				if err == nil {
					return
				}
				log.Print(err)
			}
			return
		}
	}
}

func (l *ledger) write(ended bool) error {
	namespace, err := os.ReadFile(identity + "namespace")
	if err != nil {
		return err
	}
	token, err := os.ReadFile(identity + "token") // it is replaced from time to time
	if err != nil {
		return err
	}
	pod := os.Getenv("HOSTNAME")
	name := fmt.Sprintf("account-%s-%s", pod, strconv.FormatInt(l.began, 36))
	body, err := l.body(name, pod, ended)
	if err != nil {
		return err
	}
	url := fmt.Sprintf("https://%s:%s/api/v1/namespaces/%s/configmaps/%s?fieldManager=meshproof&force=true",
		os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"), namespace, name)
	request, err := http.NewRequest(http.MethodPatch, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/apply-patch+yaml")
	request.Header.Set("Authorization", "Bearer "+string(token))
	answer, err := l.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 300))
	_, _ = io.Copy(io.Discard, answer.Body)
	if answer.StatusCode >= 300 {
		return fmt.Errorf("the account was not written: %s: %s", answer.Status, text)
	}
	return nil
}

func (l *ledger) body(name, pod string, ended bool) ([]byte, error) {
	l.accounts.lock.Lock()
	text, err := json.Marshal(page{os.Getenv("BY"), pod, l.accounts.began, now(), ended, l.accounts.flows})
	l.accounts.lock.Unlock()
	if err != nil {
		return nil, err
	}
	labels := map[string]string{"meshproof.dev/hold": "account", "app.kubernetes.io/managed-by": "meshproof"}
	if id := os.Getenv("RUN"); id != "" {
		labels["meshproof.dev/run"] = id
	}
	return json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": name, "labels": labels},
		"data":     map[string]string{"account": string(text)},
	})
}
