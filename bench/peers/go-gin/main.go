// Command peer is what Rookery is measured against in Go: Gin and grpc-go behind cmux on one port, or grpc-go alone.
package main

import (
	"errors"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/soheilhy/cmux"
	"google.golang.org/grpc"
)

func main() {
	if len(os.Args) != 2 || (os.Args[1] != "hybrid" && os.Args[1] != "grpc") {
		log.Fatal("usage: PORT=<port> peer hybrid|grpc")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
		<-stop
		os.Exit(0)
	}()
	if os.Args[1] == "grpc" {
		log.Fatal(newGrpcServer().Serve(listener))
	}
	log.Fatal(serveBoth(listener))
}

// serveBoth tells gRPC from REST by the first frame, as cmux recommends it for clients that wait for SETTINGS.
func serveBoth(listener net.Listener) error {
	mux := cmux.New(listener)
	grpcListener := mux.MatchWithWriters(
		cmux.HTTP2MatchHeaderFieldSendSettings("content-type", "application/grpc"),
	)
	restListener := mux.Match(cmux.Any())
	failed := make(chan error, 3)
	go func() {
		failed <- newGrpcServer(grpc.ChainUnaryInterceptor(recoverUnary), grpc.ChainStreamInterceptor(recoverStream)).Serve(grpcListener)
	}()
	go func() {
		server := &http.Server{Handler: newRouter()}
		if err := server.Serve(restListener); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}()
	go func() { failed <- mux.Serve() }()
	return <-failed
}
