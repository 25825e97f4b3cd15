// A registry of container images, read-only: it serves an OCI archive by the distribution protocol, to clients that know
// its password. The testbed's hardened profile allows no images but those of this registry.
package main

import (
	"archive/tar"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"flag"
	"io"
	"log"
	"net/http"
	"os"
	"path"
	"strings"
)

const nameOf = "io.containerd.image.name"

type place struct{ offset, size int64 }

type entry struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Annotations map[string]string `json:"annotations"`
}

type registry struct {
	file  *os.File
	blobs map[string]place // by digest
	tags  map[string]entry // by repository:tag
	types map[string]string
	auth  string
}

func open(name, auth string) (*registry, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	made := &registry{file, map[string]place{}, map[string]entry{}, map[string]string{}, auth}
	var index struct{ Manifests []entry }
	for reader := tar.NewReader(file); ; {
		header, err := reader.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if header.Name == "index.json" {
			if err := json.NewDecoder(reader).Decode(&index); err != nil {
				return nil, err
			}
			continue
		}
		offset, err := file.Seek(0, io.SeekCurrent) // the reader of headers does not read ahead
		if err != nil {
			return nil, err
		}
		made.blobs["sha256:"+path.Base(header.Name)] = place{offset, header.Size}
	}
	for _, one := range index.Manifests {
		_, name, _ := strings.Cut(one.Annotations[nameOf], "/") // without the registry's own name
		made.tags[name] = one
		made.types[one.Digest] = one.MediaType
	}
	return made, nil
}

func (r *registry) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	user, password, _ := request.BasicAuth()
	given, wanted := sha256.Sum256([]byte(user+":"+password)), sha256.Sum256([]byte(r.auth))
	if subtle.ConstantTimeCompare(given[:], wanted[:]) != 1 {
		w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
		http.Error(w, "a password is needed", http.StatusUnauthorized)
		return
	}
	parts := strings.Split(strings.TrimPrefix(request.URL.Path, "/v2/"), "/")
	if len(parts) < 3 {
		return // the protocol's question whether this is a registry
	}
	last := len(parts) - 1
	reference := parts[last]
	if parts[last-1] == "manifests" && !strings.HasPrefix(reference, "sha256:") {
		reference = r.tags[strings.Join(parts[:last-1], "/")+":"+reference].Digest
	}
	found, ok := r.blobs[reference]
	log.Println(request.Method, request.URL.Path, ok)
	if !ok {
		http.NotFound(w, request)
		return
	}
	if kind := r.types[reference]; kind != "" {
		w.Header().Set("Content-Type", kind)
	} else {
		w.Header().Set("Content-Type", "application/octet-stream")
	}
	w.Header().Set("Docker-Content-Digest", reference)
	section := io.NewSectionReader(r.file, found.offset, found.size)
	stat, err := r.file.Stat()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	http.ServeContent(w, request, "", stat.ModTime(), section)
}

func main() {
	archive := flag.String("archive", "", "OCI archive")
	listen := flag.String("listen", "127.0.0.1:5000", "address")
	secret := flag.String("auth", "", "file with user:password")
	flag.Parse()
	auth, err := os.ReadFile(*secret)
	if err != nil {
		log.Fatal(err)
	}
	made, err := open(*archive, strings.TrimSpace(string(auth)))
	if err != nil {
		log.Fatal(err)
	}
	log.Println("serving", len(made.tags), "images at", *listen)
	log.Fatal(http.ListenAndServe(*listen, made))
}
