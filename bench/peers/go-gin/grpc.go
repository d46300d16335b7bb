package main

import (
	"bytes"
	"context"
	"runtime/debug"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"rookery.test/bench/gen/benchv1"
)

const maxMessageBytes = 1 << 20

var (
	kibibyte = bytes.Repeat([]byte{'x'}, 1024)
	lastID   atomic.Int64
)

func init() { lastID.Store(1_000_000_000) }

func newGrpcServer(options ...grpc.ServerOption) *grpc.Server {
	server := grpc.NewServer(append(options, grpc.MaxRecvMsgSize(maxMessageBytes))...)
	benchv1.RegisterBenchServiceServer(server, benchService{})
	return server
}

type benchService struct {
	benchv1.UnimplementedBenchServiceServer
}

func (benchService) GetUser(_ context.Context, request *benchv1.GetUserRequest) (*benchv1.User, error) {
	found := users[request.GetId()]
	if found == nil {
		return nil, status.Errorf(codes.NotFound, "user %d not found", request.GetId())
	}
	return &benchv1.User{
		DisplayName: found.DisplayName,
		Id:          found.ID,
		Email:       found.Email,
		Role:        found.Role,
		Age:         proto.Int32(found.Age),
		CreatedAt:   timestamppb.New(found.CreatedAt),
	}, nil
}

func (benchService) CreateUser(_ context.Context, request *benchv1.CreateUserRequest) (*benchv1.CreateUserResponse, error) {
	return &benchv1.CreateUserResponse{
		Id:          lastID.Add(1),
		DisplayName: request.GetDisplayName(),
		Email:       request.GetEmail(),
		Role:        request.GetRole(),
		Age:         request.GetAge(),
		Newsletter:  request.GetNewsletter(),
		Address:     request.GetAddress(),
	}, nil
}

func (benchService) Stream(request *benchv1.StreamRequest, stream grpc.ServerStreamingServer[benchv1.Chunk]) error {
	for range request.GetCount() {
		if err := stream.Send(&benchv1.Chunk{Payload: kibibyte}); err != nil {
			return err
		}
	}
	return nil
}

func (benchService) Echo(_ context.Context, request *benchv1.Chunk) (*benchv1.Chunk, error) {
	return &benchv1.Chunk{Payload: request.GetPayload()}, nil
}

func recoverUnary(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (answer any, err error) {
	defer recovered(&err)
	return handle(ctx, request)
}

func recoverStream(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	defer recovered(&err)
	return handle(server, stream)
}

func recovered(err *error) {
	if cause := recover(); cause != nil {
		debug.PrintStack()
		*err = status.Error(codes.Internal, "internal error")
	}
}
