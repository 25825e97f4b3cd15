package main

import (
	"context"
	"log"
	"net"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/types/known/structpb"
)

const callTimeout = 3 * time.Second

type fields = map[string]any

// A method takes and gives the fields of a message.
type method func(ctx context.Context, in fields) (fields, error)

// serveGRPC serves one gRPC service, and the standard health service beside it.
func serveGRPC(port, service string, methods map[string]method) {
	description := grpc.ServiceDesc{ServiceName: service, HandlerType: (*any)(nil)}
	for name, call := range methods {
		description.Methods = append(description.Methods, grpc.MethodDesc{MethodName: name, Handler: handler(call)})
	}
	server := grpc.NewServer()
	server.RegisterService(&description, struct{}{})
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	listener, err := net.Listen("tcp", address(port))
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(server.Serve(listener))
}

func handler(call method) grpc.MethodHandler {
	return func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		in := &structpb.Struct{}
		if err := decode(in); err != nil {
			return nil, err
		}
		out, err := call(ctx, in.AsMap())
		if err != nil {
			return nil, err
		}
		return structpb.NewStruct(out)
	}
}

var (
	connections = map[string]*grpc.ClientConn{}
	dialing     sync.Mutex
)

// call asks the service whose address the environment variable names, over one long-lived connection to it.
func call(ctx context.Context, variable, name string, in fields) (fields, error) {
	connection, err := connect(os.Getenv(variable))
	if err != nil {
		return nil, err
	}
	message, err := structpb.NewStruct(in)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out := &structpb.Struct{}
	if err := connection.Invoke(limited, "/hipstershop."+name, message, out); err != nil {
		return nil, err
	}
	return out.AsMap(), nil
}

func connect(target string) (*grpc.ClientConn, error) {
	dialing.Lock()
	defer dialing.Unlock()
	if known := connections[target]; known != nil {
		return known, nil
	}
	made, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err == nil {
		connections[target] = made
	}
	return made, err
}
