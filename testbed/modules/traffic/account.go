package main

import (
	"sync"
	"time"
)

const (
	atMost   = 200         // runs and connections that are listed of a flow; the rest is only counted
	together = time.Second // outcomes of one kind that are no further apart are one run
)

// A run is a row of requests with the same outcome, which is not the flow's due one. Times are in ms since 1970.
type run struct {
	From    int64  `json:"from"`
	To      int64  `json:"to"`
	Outcome string `json:"outcome"`
	Count   int64  `json:"count"`
}

// An account is what one process has seen of a flow.
type account struct {
	Requests  int64            `json:"requests"`
	Outcomes  map[string]int64 `json:"outcomes"`
	First     int64            `json:"first"`    // when the first request was sent
	LastDue   int64            `json:"last_due"` // when the last due outcome came
	Gap       [2]int64         `json:"gap"`      // the longest time between two due outcomes
	Connects  int64            `json:"connects"`
	Connected []int64          `json:"connected"`
	Runs      []run            `json:"runs"`
	More      int64            `json:"more"` // requests of runs that are not listed
}

type accounts struct {
	lock  sync.Mutex
	began int64
	flows map[string]*account
}

func newAccounts() *accounts {
	return &accounts{began: now(), flows: map[string]*account{}}
}

// begin forgets everything so far.
func (a *accounts) begin() {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.began, a.flows = now(), map[string]*account{}
}

// note adds one request to the account of its flow.
func (a *accounts) note(f flow, outcome string, sent, ended time.Time, connected bool) {
	a.lock.Lock()
	defer a.lock.Unlock()
	from, to := sent.UnixMilli(), ended.UnixMilli()
	if from < a.began {
		return // sent before the account began
	}
	one := a.of(f.Name, from)
	one.Requests++
	one.Outcomes[outcome]++
	if connected {
		one.Connects++
		if len(one.Connected) < atMost {
			one.Connected = append(one.Connected, from)
		}
	}
	if outcome != f.due() {
		one.other(from, to, outcome)
		return
	}
	since := one.LastDue
	if since == 0 {
		since = one.First
	}
	if to-since > one.Gap[1]-one.Gap[0] {
		one.Gap = [2]int64{since, to}
	}
	one.LastDue = to
}

func (a *accounts) of(name string, from int64) *account {
	one := a.flows[name]
	if one == nil {
		one = &account{Outcomes: map[string]int64{}, First: from, Connected: []int64{}, Runs: []run{}}
		a.flows[name] = one
	}
	return one
}

func (a *account) other(from, to int64, outcome string) {
	for at := len(a.Runs) - 1; at >= 0 && at >= len(a.Runs)-4; at-- { // kinds may take turns
		if last := &a.Runs[at]; last.Outcome == outcome && from-last.To <= together.Milliseconds() {
			last.To, last.Count = max(last.To, to), last.Count+1
			return
		}
	}
	if len(a.Runs) == atMost {
		a.More++
		return
	}
	a.Runs = append(a.Runs, run{from, to, outcome, 1})
}

func now() int64 { return time.Now().UnixMilli() }
