// An authorizer of the API server that denies whatever it is asked. The API server's configuration states which requests
// it is asked about; it has the last word on these, as a provider has on the namespaces that it manages.
package main

import (
	"encoding/json"
	"flag"
	"log"
	"net/http"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:5001", "address")
	reason := flag.String("reason", "denied", "text for the client")
	flag.Parse()
	answer := map[string]any{
		"apiVersion": "authorization.k8s.io/v1",
		"kind":       "SubjectAccessReview",
		"status":     map[string]any{"allowed": false, "denied": true, "reason": *reason},
	}
	deny := func(w http.ResponseWriter, request *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			log.Println(err)
		}
	}
	log.Fatal(http.ListenAndServe(*listen, http.HandlerFunc(deny)))
}
