package main

import (
	"fmt"
	"net"
	"net/http"
	"strings"
)

// The stand-ins for Google's metadata server and object storage: as much of them as shows whose refusal a refusal is.
const (
	account  = "sa-test-app-team-x@meshproof.iam.gserviceaccount.com"
	token    = "token-of-sa-test-app-team-x"
	accounts = "/computeMetadata/v1/instance/service-accounts/"
)

func google(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.Host
		if short, _, err := net.SplitHostPort(name); err == nil {
			name = short
		}
		switch strings.ToLower(name) {
		case "metadata.google.internal", "169.254.169.254":
			metadata(w, r)
		case "storage.googleapis.com":
			storage(w, r, next)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func metadata(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Metadata-Flavor", "Google")
	w.Header().Set("Server", "Metadata Server for VM")
	answers := map[string]string{
		"/":                                      "computeMetadata/\n",
		accounts:                                 account + "/\ndefault/\n",
		accounts + "default/email":               account,
		accounts + account + "/email":            account,
		accounts + "default/token":               fmt.Sprintf(`{"access_token":%q,"expires_in":3599,"token_type":"Bearer"}`, token),
		"/computeMetadata/v1/project/project-id": "meshproof",
	}
	answer, known := answers[r.URL.Path]
	switch {
	case r.URL.Path != "/" && r.Header.Get("Metadata-Flavor") != "Google":
		http.Error(w, "Missing Metadata-Flavor:Google header.", http.StatusForbidden)
	case !known:
		http.NotFound(w, r)
	default:
		_, _ = fmt.Fprint(w, answer)
	}
}

func storage(w http.ResponseWriter, r *http.Request, next http.Handler) {
	credentials := r.Header.Get("Authorization")
	switch {
	case credentials != "" && credentials != "Bearer "+token:
		http.Error(w, "The caller does not have storage.objects.get access.", http.StatusForbidden)
	case strings.HasSuffix(r.URL.Path, "/hello"):
		_, _ = fmt.Fprint(w, "Hello, World!\n")
	default:
		next.ServeHTTP(w, r)
	}
}
