// The shop of the testbed: every service of Online Boutique as a role of one small program.
//
// The shop's own programs are not to be had from the Go module proxy. What the mesh sees of them is kept: eleven
// services with the demo's names, ports, environment variables, gRPC service and method names, and its call graph. What
// they say to each other is not: messages are google.protobuf.Struct.
package main

import (
	"log"
	"os"
	"os/signal"
	"syscall"
)

// A role runs until the process ends.
type role func()

var roles = map[string]role{
	"adservice":             serveAds,
	"cartservice":           serveCart,
	"checkoutservice":       serveCheckout,
	"currencyservice":       serveCurrency,
	"emailservice":          serveEmail,
	"frontend":              serveFrontend,
	"loadgenerator":         generateLoad,
	"paymentservice":        servePayment,
	"productcatalogservice": serveCatalog,
	"recommendationservice": serveRecommendations,
	"shippingservice":       serveShipping,
	"porter":                servePorts,
}

func main() {
	log.SetFlags(log.LUTC | log.Ltime | log.Lmicroseconds)
	log.SetOutput(os.Stdout)
	name := os.Getenv("SERVICE")
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	run, known := roles[name]
	if !known {
		log.Fatalf("%q is no role: name one as the argument, or in SERVICE", name)
	}
	go run()
	// As the first process of its container it would not end by the signal alone.
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	<-ended
}

func address(fallback string) string {
	if port := os.Getenv("PORT"); port != "" {
		return ":" + port
	}
	return ":" + fallback
}
