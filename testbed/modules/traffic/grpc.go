package main

import (
	"context"
	"net"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const streamMethod = "/meshproof.hold.Echo/Stream"

var streamDescription = grpc.StreamDesc{
	StreamName: "Stream", ServerStreams: true, ClientStreams: true, Handler: serveStream,
}

// grpcWay sends messages over one stream in both directions.
type grpcWay struct {
	flow       flow
	connection *grpc.ClientConn
	stream     grpc.ClientStream
	came       chan message // what the stream received, and last the error that ended it
	end        context.CancelFunc
}

type message struct {
	text string
	err  error
}

func newGRPC(f flow) way { return &grpcWay{flow: f} }

func (w *grpcWay) drop() {
	w.dropStream()
	if w.connection != nil {
		_ = w.connection.Close()
		w.connection = nil
	}
}

func (w *grpcWay) dropStream() {
	if w.stream != nil {
		w.end()
		w.stream = nil
	}
}

func (w *grpcWay) request(ctx context.Context, nonce string) (outcome string, connected bool) {
	if w.stream != nil {
		select {
		case <-w.came: // it ended, while no request was on its way
			w.dropStream()
		default:
		}
	}
	if w.stream == nil {
		connected = true
		if err := w.open(ctx); err != nil {
			return grpcFailure(err), connected
		}
	}
	_ = w.stream.SendMsg(wrapperspb.String(nonce)) // why it failed is received
	select {
	case got := <-w.came:
		if got.err != nil {
			w.dropStream()
			return grpcFailure(got.err), connected
		}
		said, last := strings.CutSuffix(got.text, goodbye)
		if last {
			w.dropStream()
		}
		if said != nonce {
			return "another answer", connected
		}
		return answered, connected
	case <-ctx.Done():
		w.dropStream()
		return "timeout", connected
	}
}

// open makes a stream, on the connection that is there.
func (w *grpcWay) open(ctx context.Context) error {
	if w.connection == nil {
		options := []grpc.DialOption{
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
				return connect(ctx, "tcp", address)
			}),
		}
		if w.flow.Host != "" {
			options = append(options, grpc.WithAuthority(w.flow.Host))
		}
		made, err := grpc.NewClient("passthrough:///"+w.flow.Address, options...)
		if err != nil {
			return err
		}
		w.connection = made
	}
	own, end := context.WithCancel(metadata.AppendToOutgoingContext(context.Background(), flowHeader, w.flow.Name))
	stop := context.AfterFunc(ctx, end) // a connection that is not made in time
	defer stop()
	stream, err := w.connection.NewStream(own, &streamDescription, streamMethod)
	if err != nil {
		end()
		return err
	}
	w.stream, w.end, w.came = stream, end, make(chan message, 4)
	go receive(stream, w.came)
	return nil
}

func receive(stream grpc.ClientStream, into chan<- message) {
	for {
		answer := &wrapperspb.StringValue{}
		err := stream.RecvMsg(answer)
		into <- message{answer.Value, err}
		if err != nil {
			return
		}
	}
}

func grpcFailure(err error) string {
	return "grpc " + status.Code(err).String()
}
