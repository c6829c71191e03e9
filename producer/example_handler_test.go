package producer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
)

// notify is an HTTP handler that tells a customer that an order was shipped. The caller may repeat the request: the order's key
// makes it one message.
func notify(p *producer.Producer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var order struct{ ID, Customer, Text string }
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&order); err != nil {
			http.Error(w, "the body is no order", http.StatusBadRequest)
			return
		}
		job, err := producer.NewJob("1001", sendapi.Text(sendapi.ID(order.Customer), order.Text))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second) // Redis may be away
		defer cancel()
		receipt, err := p.Enqueue(ctx, job, producer.Key("shipped-"+order.ID))
		var problems sendapi.Problems
		var full *producer.LineFullError
		switch {
		case errors.As(err, &problems):
			http.Error(w, problems.Error(), http.StatusUnprocessableEntity)
		case errors.As(err, &full):
			w.Header().Set("Retry-After", "60")
			http.Error(w, full.Error(), http.StatusTooManyRequests)
		case err != nil:
			http.Error(w, "the queue is away; try again", http.StatusServiceUnavailable)
		case receipt.Repeat:
			fmt.Fprintln(w, "it was accepted before")
		default:
			w.WriteHeader(http.StatusAccepted)
			fmt.Fprintln(w, "accepted")
		}
	}
}

// Enqueue from an HTTP handler.
func ExampleProducer_Enqueue_handler() {
	p, stop := exampleProducer(producer.Config{MaxWaiting: 1})
	handler := notify(p)
	post := func(body string) {
		answer := httptest.NewRecorder()
		handler(answer, httptest.NewRequest(http.MethodPost, "/shipped", strings.NewReader(body)))
		fmt.Println(answer.Code, strings.TrimSpace(answer.Body.String()))
	}
	post(`{"ID": "17", "Customer": "4321", "Text": "Your parcel is on its way."}`)
	post(`{"ID": "17", "Customer": "4321", "Text": "Your parcel is on its way."}`)
	post(`{"ID": "18", "Customer": "4322", "Text": ""}`)
	post(`{"ID": "19", "Customer": "4323", "Text": "Your parcel is on its way."}`)
	stop()
	post(`{"ID": "20", "Customer": "4324", "Text": "Your parcel is on its way."}`)
	// Output:
	// 202 accepted
	// 200 it was accepted before
	// 422 request.message: needs text, an attachment, a template or a sticker_id
	// 429 line 1001:bulk is full: 1 jobs wait and the limit is 1; try again later
	// 503 the queue is away; try again
}
