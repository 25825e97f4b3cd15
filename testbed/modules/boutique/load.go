package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"
)

// counts are what the load generator tells. Times are in milliseconds.
type counts struct {
	Requests   int    `json:"requests"`
	Errors     int    `json:"errors"`
	LongestGap int64  `json:"longest_gap_ms"`
	LastError  string `json:"last_error"`
}

type tally struct {
	counts
	lock sync.Mutex
	last time.Time
}

// count takes one answer in; a gap is the time between two good ones.
func (t *tally) count(err error) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.Requests++
	if err != nil {
		t.Errors++
		t.LastError = err.Error()
		log.Print(err)
		return
	}
	now := time.Now()
	if !t.last.IsZero() {
		t.LongestGap = max(t.LongestGap, now.Sub(t.last).Milliseconds())
	}
	t.last = now
}

// take gives the tally so far, with the gap that is still open, and begins a new one.
func (t *tally) take() counts {
	t.lock.Lock()
	defer t.lock.Unlock()
	if !t.last.IsZero() {
		t.LongestGap = max(t.LongestGap, time.Since(t.last).Milliseconds())
	}
	taken := t.counts
	t.counts, t.last = counts{}, time.Time{}
	return taken
}

// generateLoad lets a few users buy at the shop, and serves what it counted: GET /stats takes the tally.
// RATE is how many requests a second each user sends; 0 means none until `POST /rate?rate=N`.
func generateLoad() {
	counted, rate := &tally{}, &struct {
		sync.Mutex
		perSecond float64
	}{}
	rate.perSecond, _ = strconv.ParseFloat(os.Getenv("RATE"), 64)
	users, _ := strconv.Atoi(os.Getenv("USERS"))
	for number := range max(users, 1) {
		go func() {
			for step := 0; ; step++ {
				rate.Lock()
				perSecond := rate.perSecond
				rate.Unlock()
				if perSecond <= 0 {
					time.Sleep(50 * time.Millisecond)
					continue
				}
				counted.count(visit(step, fmt.Sprintf("user%d@shop.test", number)))
				time.Sleep(time.Duration(float64(time.Second) / perSecond))
			}
		}()
	}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		taken := counted.take()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(taken)
	})
	routes.HandleFunc("POST /rate", func(w http.ResponseWriter, r *http.Request) {
		wanted, err := strconv.ParseFloat(r.URL.Query().Get("rate"), 64)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		rate.Lock()
		rate.perSecond = wanted
		rate.Unlock()
		counted.take()
		fmt.Fprintln(w, "ok")
	})
	log.Fatal(http.ListenAndServe(address("8080"), routes))
}

// visit does one step of a user: look, put into the cart, look, buy.
func visit(step int, email string) error {
	shop := "http://" + os.Getenv("FRONTEND_ADDR")
	switch step % 4 {
	case 1:
		return post(shop+"/cart", url.Values{"product_id": {"KETTLE"}, "email": {email}})
	case 3:
		return post(shop+"/cart/checkout", url.Values{"email": {email}})
	}
	return answered(client.Get(shop + "/"))
}

var client = &http.Client{Timeout: 5 * time.Second}

func post(where string, form url.Values) error { return answered(client.PostForm(where, form)) }

func answered(response *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %d %.200s", response.Request.Method, response.Request.URL.Path, response.StatusCode, body)
	}
	return err
}
