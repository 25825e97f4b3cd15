#!/bin/sh
# The security lab by hand: the tutorial's own commands, one after the other, with every wait that the suite has.
#
# Each check loops the tutorial's `kubectl exec "$(kubectl get pod …)" … -- curl …` until the expected outcome has come
# K times in a row. K is the suite's own number for that case. Unlike the suite it does not look at the state before a
# change, at twins, at the backend's log, or at curl's exit code, and writes no report.
#
# Environment: KUBECTL (command words), FOLDER (folder of manifests, tokens/KIND and confirmations: lines "ID<tab>K").
set -eu

LIMIT=600 # attempts until a check gives up
TAB=$(printf '\t')
MTLS=http://httpbin.mtls-service:8000
LEGACY=http://httpbin.legacy-service:8000
STRICT=http://httpbin.strict-mtls-service:8000
NAMESPACES="legacy-client legacy-service mtls-client mtls-service strict-mtls-service"

k() { $KUBECTL "$@"; }

sleep_curl() { # namespace, curl's words: the tutorial's command
    from=$1
    shift
    k exec "$(k get pod -l app=sleep -n "$from" -o 'jsonpath={.items..metadata.name}')" -c sleep -n "$from" -- curl "$@" 2>/dev/null
}

until_stable() { # id, expected, command…: until the command has printed the expected text K times in a row
    id=$1 expected=$2 row=0 tries=0
    shift 2
    needed=$(awk -F "$TAB" -v id="$id" '$1 == id { print $2 }' "$FOLDER/confirmations")
    while [ "$row" -lt "${needed:?no K for $id}" ]; do
        tries=$((tries + 1))
        seen=$("$@") || true
        if [ "$seen" = "$expected" ]; then row=$((row + 1)); else row=0; fi
        if [ "$tries" -gt "$LIMIT" ]; then echo "$id: expected $expected, saw $seen" >&2; exit 1; fi
    done
    echo "$id $expected, $tries probes"
}

check() { # id, namespace, expected status, url, more words for curl
    id=$1 namespace=$2 expected=$3 url=$4
    shift 4
    until_stable "$id" "$expected" sleep_curl "$namespace" "$url" -s -o /dev/null -w '%{http_code}' "$@"
}

certificates() { # namespace, url, more words for curl: how many certificate headers the server received
    sleep_curl "$@" -s | grep -c X-Forwarded-Client-Cert
}

check_certificate() { # id, namespace, 1 or 0, url, more words for curl
    id=$1 namespace=$2 expected=$3
    shift 3
    until_stable "$id" "$expected" certificates "$namespace" "$@"
}

apply() { k apply -f "$FOLDER/manifests/lab/$1"; }
delete() { k delete -f "$FOLDER/manifests/lab/$1"; }
bearer() { echo "Authorization: Bearer $(cat "$FOLDER/tokens/$1")"; }

by_impostor() { # curl's words: from legacy-client, with a certificate that no authority of the mesh has signed
    from=$(k get pod -l app=sleep -n legacy-client -o 'jsonpath={.items..metadata.name}')
    k exec -i "$from" -c sleep -n legacy-client -- curl --cert-type P12 --cert /dev/stdin "$@" \
        <"$FOLDER/foreign.p12" 2>/dev/null
}

check_impostor() { # id, trust domain: a client of mtls-client by its certificate
    openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=foreign -keyout "$FOLDER/foreign.key" \
        -out "$FOLDER/foreign.pem" -addext "subjectAltName=URI:spiffe://$2/ns/mtls-client/sa/sleep" 2>/dev/null
    openssl pkcs12 -export -in "$FOLDER/foreign.pem" -inkey "$FOLDER/foreign.key" -passout pass: \
        -out "$FOLDER/foreign.p12"
    until_stable "$1" 000 by_impostor "https${STRICT#http}/ip" -k -s -o /dev/null -w '%{http_code}'
}

available() { # namespace…
    for namespace in "$@"; do k wait --for=condition=Available deployment --all -n "$namespace" --timeout=180s; done
}

# The clients and the servers
for namespace in $NAMESPACES; do apply "environment/$namespace.yaml"; done
available $NAMESPACES
k get service -n istio-system
k get pods -n istio-system
for namespace in $NAMESPACES; do k get pods,services -n "$namespace"; done

# Permissive
check LAB-PERM-01 mtls-client 200 $MTLS/ip
check LAB-PERM-02 mtls-client 200 $LEGACY/ip
check LAB-PERM-03 legacy-client 200 $MTLS/ip
check LAB-PERM-04 legacy-client 200 $LEGACY/ip
check_certificate LAB-XFCC-01 mtls-client 1 $MTLS/headers
check_certificate LAB-XFCC-02 mtls-client 0 $LEGACY/headers
check_certificate LAB-XFCC-03 legacy-client 0 $MTLS/headers
check_certificate LAB-XFCC-04 legacy-client 0 $MTLS/headers -H 'X-Forwarded-Client-Cert: By=spiffe://forged;URI=spiffe://forged'
check LAB-NSMTLS-01 legacy-client 200 $STRICT/ip

# No server
for namespace in mtls-service legacy-service; do k scale deployment httpbin --replicas=0 -n $namespace; done
check 'LAB-PERM-05[mtls-client to mtls-service]' mtls-client 503 $MTLS/ip
check 'LAB-PERM-05[mtls-client to legacy-service]' mtls-client 503 $LEGACY/ip
check 'LAB-PERM-05[legacy-client to mtls-service]' legacy-client 000 $MTLS/ip
check 'LAB-PERM-05[legacy-client to legacy-service]' legacy-client 000 $LEGACY/ip
for namespace in mtls-service legacy-service; do k scale deployment httpbin --replicas=1 -n $namespace; done
available mtls-service legacy-service

# STRICT for the whole mesh
apply mesh-wide-strict/mesh-wide-mtls.yaml
check LAB-MTLS-01 mtls-client 200 $MTLS/ip
check LAB-MTLS-02 mtls-client 200 $LEGACY/ip
check LAB-MTLS-03 legacy-client 000 $MTLS/ip
check LAB-MTLS-04 legacy-client 200 $LEGACY/ip
delete mesh-wide-strict/mesh-wide-mtls.yaml
check LAB-MTLS-05 legacy-client 200 $MTLS/ip

# STRICT for a namespace
apply namespace-strict/restricted-mtls.yaml
check LAB-NSMTLS-02 legacy-client 200 $MTLS/ip
check LAB-NSMTLS-03 legacy-client 000 $STRICT/ip
check 'LAB-NSMTLS-03[TLS without a certificate]' legacy-client 000 "https${STRICT#http}/ip" -k
check_impostor 'LAB-NSMTLS-03[TLS with a certificate of a foreign authority]' cluster.local
check_impostor 'LAB-NSMTLS-03[TLS with a certificate of a foreign trust domain]' foreign.example
check LAB-NSMTLS-04 mtls-client 200 $STRICT/ip
delete namespace-strict/restricted-mtls.yaml
check LAB-NSMTLS-05 legacy-client 200 $STRICT/ip

# RequestAuthentication
apply jwt/jwt-example.yaml
check LAB-JWT-01 mtls-client 401 $MTLS/headers -H "$(bearer malformed)"
check LAB-JWT-02 mtls-client 200 $MTLS/headers
check 'LAB-JWT-03[RS256]' mtls-client 200 $MTLS/headers -H "$(bearer valid)"
check 'LAB-JWT-03[ES256]' mtls-client 200 $MTLS/headers -H "$(bearer valid-es256)"
for kind in wrong-issuer foreign-key expired just-expired soon-valid; do
    check "LAB-JWT-04[$kind]" mtls-client 401 $MTLS/headers -H "$(bearer $kind)"
done

# AuthorizationPolicy
apply jwt/require-jwt.yaml
check LAB-AUTHZ-01 mtls-client 200 $MTLS/headers -H "$(bearer valid)"
check LAB-AUTHZ-02 mtls-client 403 $MTLS/headers
check LAB-AUTHZ-03 mtls-client 401 $MTLS/headers -H "$(bearer malformed)"
check LAB-AUTHZ-04 mtls-client 403 $MTLS/headers -H "$(bearer other-subject)"
check 'LAB-AUTHZ-04[longer-subject]' mtls-client 403 $MTLS/headers -H "$(bearer longer-subject)"
check 'LAB-AUTHZ-04[prefixed-subject]' mtls-client 403 $MTLS/headers -H "$(bearer prefixed-subject)"

# By method and path
apply jwt/require-jwt-get-ip.yaml
check LAB-PATH-01 mtls-client 200 $MTLS/ip -H "$(bearer valid)"
check LAB-PATH-02 mtls-client 403 $MTLS/headers -H "$(bearer valid)"
check LAB-PATH-03 mtls-client 403 $MTLS/ip
check LAB-PATH-04 mtls-client 403 $MTLS/ip -X POST -H "$(bearer valid)"

# Removal
delete jwt/require-jwt-get-ip.yaml
check LAB-CLEAN-01 mtls-client 200 $MTLS/headers
check LAB-CLEAN-02 mtls-client 401 $MTLS/headers -H "$(bearer malformed)"
delete jwt/jwt-example.yaml

for namespace in $NAMESPACES; do k delete namespace "$namespace" --wait=false; done
for namespace in $NAMESPACES; do k wait --for=delete "namespace/$namespace" --timeout=180s; done
