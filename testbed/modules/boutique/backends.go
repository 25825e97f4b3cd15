package main

import (
	"context"
	"fmt"
	"sync"
)

// Where a service finds the others: environment variables of the demo.
const (
	adAddress             = "AD_SERVICE_ADDR"
	cartAddress           = "CART_SERVICE_ADDR"
	catalogAddress        = "PRODUCT_CATALOG_SERVICE_ADDR"
	checkoutAddress       = "CHECKOUT_SERVICE_ADDR"
	currencyAddress       = "CURRENCY_SERVICE_ADDR"
	emailAddress          = "EMAIL_SERVICE_ADDR"
	paymentAddress        = "PAYMENT_SERVICE_ADDR"
	recommendationAddress = "RECOMMENDATION_SERVICE_ADDR"
	shippingAddress       = "SHIPPING_SERVICE_ADDR"
)

// Prices in cents of a dollar.
var products = []any{
	fields{"id": "KETTLE", "name": "Kettle", "cents": 2499},
	fields{"id": "LANTERN", "name": "Lantern", "cents": 3250},
	fields{"id": "BASKET", "name": "Basket", "cents": 1899},
	fields{"id": "BLANKET", "name": "Blanket", "cents": 4575},
}

var rates = fields{"USD": 1.0, "EUR": 0.9, "JPY": 150.0}

func product(id string) (fields, error) {
	for _, one := range products {
		if found := one.(fields); found["id"] == id {
			return found, nil
		}
	}
	return nil, fmt.Errorf("no product %q", id)
}

func serveAds() {
	serveGRPC("9555", "hipstershop.AdService", map[string]method{
		"GetAds": func(context.Context, fields) (fields, error) {
			return fields{"text": "Baskets at half price", "url": "/product/BASKET"}, nil
		},
	})
}

func serveCatalog() {
	serveGRPC("3550", "hipstershop.ProductCatalogService", map[string]method{
		"ListProducts": func(context.Context, fields) (fields, error) { return fields{"products": products}, nil },
		"GetProduct": func(_ context.Context, in fields) (fields, error) {
			return product(fmt.Sprint(in["id"]))
		},
	})
}

func serveCurrency() {
	serveGRPC("7000", "hipstershop.CurrencyService", map[string]method{
		"GetSupportedCurrencies": func(context.Context, fields) (fields, error) { return rates, nil },
		"Convert": func(_ context.Context, in fields) (fields, error) {
			cents, _ := in["cents"].(float64)
			rate, known := rates[fmt.Sprint(in["to"])].(float64)
			if !known {
				return nil, fmt.Errorf("no currency %v", in["to"])
			}
			return fields{"cents": cents * rate}, nil
		},
	})
}

func serveCart() {
	carts, lock := map[string][]any{}, sync.Mutex{}
	serveGRPC("7070", "hipstershop.CartService", map[string]method{
		"AddItem": func(_ context.Context, in fields) (fields, error) {
			lock.Lock()
			defer lock.Unlock()
			user := fmt.Sprint(in["user"])
			carts[user] = append(carts[user], in["product"])
			return fields{}, nil
		},
		"GetCart": func(_ context.Context, in fields) (fields, error) {
			lock.Lock()
			defer lock.Unlock()
			return fields{"items": append([]any{}, carts[fmt.Sprint(in["user"])]...)}, nil
		},
		"EmptyCart": func(_ context.Context, in fields) (fields, error) {
			lock.Lock()
			defer lock.Unlock()
			delete(carts, fmt.Sprint(in["user"]))
			return fields{}, nil
		},
	})
}

func serveRecommendations() {
	serveGRPC("8080", "hipstershop.RecommendationService", map[string]method{
		"ListRecommendations": func(ctx context.Context, _ fields) (fields, error) {
			return call(ctx, catalogAddress, "ProductCatalogService/ListProducts", fields{})
		},
	})
}

func serveShipping() {
	serveGRPC("50051", "hipstershop.ShippingService", map[string]method{
		"GetQuote":  func(context.Context, fields) (fields, error) { return fields{"cents": 899}, nil },
		"ShipOrder": func(context.Context, fields) (fields, error) { return fields{"tracking": "MP-1"}, nil },
	})
}

func servePayment() {
	serveGRPC("50051", "hipstershop.PaymentService", map[string]method{
		"Charge": func(context.Context, fields) (fields, error) { return fields{"transaction": "T-1"}, nil },
	})
}

func serveEmail() {
	serveGRPC("8080", "hipstershop.EmailService", map[string]method{
		"SendOrderConfirmation": func(context.Context, fields) (fields, error) { return fields{}, nil },
	})
}

func serveCheckout() {
	serveGRPC("5050", "hipstershop.CheckoutService", map[string]method{"PlaceOrder": placeOrder})
}

// placeOrder fans out to six services, as the demo's does.
func placeOrder(ctx context.Context, in fields) (fields, error) {
	user := in["user"]
	cart, err := call(ctx, cartAddress, "CartService/GetCart", fields{"user": user})
	if err != nil {
		return nil, err
	}
	total := 0.0
	for _, id := range cart["items"].([]any) {
		item, err := call(ctx, catalogAddress, "ProductCatalogService/GetProduct", fields{"id": id})
		if err != nil {
			return nil, err
		}
		price := fields{"cents": item["cents"], "to": "USD"}
		if price, err = call(ctx, currencyAddress, "CurrencyService/Convert", price); err != nil {
			return nil, err
		}
		total += price["cents"].(float64)
	}
	quote, err := call(ctx, shippingAddress, "ShippingService/GetQuote", fields{})
	if err != nil {
		return nil, err
	}
	total += quote["cents"].(float64)
	if _, err = call(ctx, paymentAddress, "PaymentService/Charge", fields{"cents": total}); err != nil {
		return nil, err
	}
	shipped, err := call(ctx, shippingAddress, "ShippingService/ShipOrder", fields{})
	if err != nil {
		return nil, err
	}
	if _, err = call(ctx, cartAddress, "CartService/EmptyCart", fields{"user": user}); err != nil {
		return nil, err
	}
	if _, err = call(ctx, emailAddress, "EmailService/SendOrderConfirmation", fields{"user": user}); err != nil {
		return nil, err
	}
	return fields{"tracking": shipped["tracking"], "cents": total}, nil
}
