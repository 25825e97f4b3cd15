package main

import (
	"context"
	"fmt"
	"html/template"
	"log"
	"net/http"
	"os"
	"strings"
)

const user = "visitor"

var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Online Boutique</title></head>
<body><h1>Online Boutique</h1><p>Currencies: {{ range .currencies }}{{ . }} {{ end }}</p>
<p>In the cart: {{ .items }}. <a href="{{ .ad.url }}">{{ .ad.text }}</a></p>
<h2>Hot Products</h2><ul>
{{ range .products }}<li><a href="/product/{{ .id }}"><img alt="{{ .name }}" src="/static/img/products/{{ .id }}.svg">
{{ .name }}</a> {{ .price }}</li>
{{ end }}</ul><p>{{ .recommended }} recommended, delivery {{ .delivery }}</p></body></html>
`))

func serveFrontend() {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /_healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	routes.HandleFunc("GET /static/img/products/", image)
	routes.HandleFunc("GET /{$}", home)
	routes.HandleFunc("POST /cart", addToCart)
	routes.HandleFunc("POST /cart/checkout", checkout)
	log.Fatal(http.ListenAndServe(address("8080"), logged(routes)))
}

// logged writes a line for every request: the user agent tells whose it was.
func logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.UserAgent(), "kube-probe") {
			log.Printf("%s %s %s %q", r.RemoteAddr, r.Method, r.URL.Path, r.UserAgent())
		}
		next.ServeHTTP(w, r)
	})
}

func image(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "image/svg+xml")
	fmt.Fprint(w, `<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><rect width="64" height="64"/></svg>`)
}

func home(w http.ResponseWriter, r *http.Request) {
	data, err := homeData(r.Context())
	if err != nil {
		failed(w, err)
		return
	}
	if err := page.Execute(w, data); err != nil {
		log.Print(err)
	}
}

// homeData asks every service that the demo's home page asks.
func homeData(ctx context.Context) (fields, error) {
	listed, err := call(ctx, catalogAddress, "ProductCatalogService/ListProducts", fields{})
	if err != nil {
		return nil, err
	}
	currencies, err := call(ctx, currencyAddress, "CurrencyService/GetSupportedCurrencies", fields{})
	if err != nil {
		return nil, err
	}
	cart, err := call(ctx, cartAddress, "CartService/GetCart", fields{"user": user})
	if err != nil {
		return nil, err
	}
	recommended, err := call(ctx, recommendationAddress, "RecommendationService/ListRecommendations", fields{})
	if err != nil {
		return nil, err
	}
	quote, err := call(ctx, shippingAddress, "ShippingService/GetQuote", fields{})
	if err != nil {
		return nil, err
	}
	ad, err := call(ctx, adAddress, "AdService/GetAds", fields{})
	if err != nil {
		return nil, err
	}
	shown := []fields{}
	for _, one := range listed["products"].([]any) {
		item := one.(fields)
		price, err := call(ctx, currencyAddress, "CurrencyService/Convert", fields{"cents": item["cents"], "to": "USD"})
		if err != nil {
			return nil, err
		}
		shown = append(shown, fields{"id": item["id"], "name": item["name"], "price": dollars(price)})
	}
	names := []string{}
	for name := range currencies {
		names = append(names, name)
	}
	return fields{
		"products":    shown,
		"currencies":  names,
		"items":       len(cart["items"].([]any)),
		"recommended": len(recommended["products"].([]any)),
		"delivery":    dollars(quote),
		"ad":          ad,
	}, nil
}

func dollars(price fields) string {
	return fmt.Sprintf("$%.2f", price["cents"].(float64)/100)
}

func addToCart(w http.ResponseWriter, r *http.Request) {
	in := fields{"user": visitor(r), "product": r.PostFormValue("product_id")}
	if _, err := call(r.Context(), cartAddress, "CartService/AddItem", in); err != nil {
		failed(w, err)
		return
	}
	fmt.Fprintln(w, "added")
}

func checkout(w http.ResponseWriter, r *http.Request) {
	order, err := call(r.Context(), checkoutAddress, "CheckoutService/PlaceOrder", fields{"user": visitor(r)})
	if err != nil {
		failed(w, err)
		return
	}
	fmt.Fprintf(w, "Your order is complete: %v, %s\n", order["tracking"], dollars(order))
}

// visitor is whose cart it is: load in parallel must not empty another's.
func visitor(r *http.Request) string {
	if name := r.PostFormValue("email"); name != "" {
		return name
	}
	return user
}

func failed(w http.ResponseWriter, err error) {
	log.Print(err)
	http.Error(w, fmt.Sprintf("Uh, oh! %v", err), http.StatusInternalServerError)
}

// servePorts answers on every port N that a variable SERVE_PORT_N names, with its value, as `agnhost porter` does.
func servePorts() {
	for _, variable := range os.Environ() {
		name, text, _ := strings.Cut(variable, "=")
		port, found := strings.CutPrefix(name, "SERVE_PORT_")
		if !found {
			continue
		}
		answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) })
		go func() { log.Fatal(http.ListenAndServe(":"+port, logged(answer))) }()
	}
}
