// Command goclient makes one call of any mode to a gRPC server that it knows by reflection only, and prints what a Go
// program sees of it as JSON. Messages of the request come from standard input, as a JSON array.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
)

type options struct {
	address  string
	method   string
	headers  headerFlags
	timeout  time.Duration
	gzip     bool
	lockstep bool
	stopAt   int
}

type headerFlags []string

func (h *headerFlags) String() string         { return strings.Join(*h, ", ") }
func (h *headerFlags) Set(value string) error { *h = append(*h, value); return nil }

func main() {
	var o options
	flag.StringVar(&o.address, "address", "", "host:port of the server")
	flag.StringVar(&o.method, "method", "", "package.Service/Method")
	flag.Var(&o.headers, "header", "name: value; may be repeated")
	flag.DurationVar(&o.timeout, "timeout", 20*time.Second, "deadline of the call")
	flag.BoolVar(&o.gzip, "gzip", false, "compress the request messages")
	flag.BoolVar(&o.lockstep, "lockstep", false, "bidirectional: wait for an answer after each message")
	flag.IntVar(&o.stopAt, "stop-at", 0, "cancel after so many answers; 0 reads to the end")
	flag.Parse()
	if err := run(o, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "goclient:", err)
		os.Exit(1)
	}
}

func run(o options, in io.Reader, out io.Writer) error {
	var requests []json.RawMessage
	if err := json.NewDecoder(in).Decode(&requests); err != nil {
		return fmt.Errorf("messages on standard input: %w", err)
	}
	connection, err := grpc.NewClient(o.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), o.timeout)
	defer cancel()
	method, err := findMethod(ctx, connection, o.method)
	if err != nil {
		return fmt.Errorf("reflection: %w", err)
	}
	for _, header := range o.headers {
		name, value, _ := strings.Cut(header, ":")
		ctx = metadata.AppendToOutgoingContext(ctx, strings.TrimSpace(name), strings.TrimSpace(value))
	}
	callOptions := []grpc.CallOption{}
	if o.gzip {
		callOptions = append(callOptions, grpc.UseCompressor(gzip.Name))
	}
	result, err := call(ctx, cancel, connection, method, requests, o, callOptions)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(result)
}
