package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// Result is what a Go program sees of a call.
type Result struct {
	Messages []json.RawMessage `json:"messages"`
	Header   metadata.MD       `json:"header"`
	Trailer  metadata.MD       `json:"trailer"`
	Code     string            `json:"code"`
	Message  string            `json:"message"`
	Details  []any             `json:"details"`
}

// call drives every mode by the generic stream: what is sent and read decides, as in generated code.
func call(
	ctx context.Context,
	cancel context.CancelFunc,
	connection *grpc.ClientConn,
	method protoreflect.MethodDescriptor,
	requests []json.RawMessage,
	o options,
	callOptions []grpc.CallOption,
) (*Result, error) {
	messages := []*dynamicpb.Message{}
	for index, request := range requests {
		message := dynamicpb.NewMessage(method.Input())
		if err := protojson.Unmarshal(request, message); err != nil {
			return nil, fmt.Errorf("message %d: %w", index, err)
		}
		messages = append(messages, message)
	}
	description := &grpc.StreamDesc{ServerStreams: method.IsStreamingServer(), ClientStreams: method.IsStreamingClient()}
	path := fmt.Sprintf("/%s/%s", method.Parent().FullName(), method.Name())
	result := &Result{Messages: []json.RawMessage{}, Details: []any{}}
	stream, err := connection.NewStream(ctx, description, path, callOptions...)
	if err != nil {
		return result, describe(result, err)
	}
	err = exchange(stream, method, messages, o, cancel, result)
	result.Header, _ = stream.Header()
	result.Trailer = stream.Trailer()
	return result, describe(result, err)
}

func exchange(
	stream grpc.ClientStream,
	method protoreflect.MethodDescriptor,
	messages []*dynamicpb.Message,
	o options,
	cancel context.CancelFunc,
	result *Result,
) error {
	for _, message := range messages {
		// The server may end the call before it has read everything; what it says comes from receiving.
		if err := stream.SendMsg(message); err != nil {
			break
		}
		if o.lockstep {
			if err := receive(stream, method, result); err != nil {
				return err
			}
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for {
		if o.stopAt > 0 && len(result.Messages) >= o.stopAt {
			cancel()
		}
		if err := receive(stream, method, result); err != nil {
			return err
		}
		// Generated code receives once where there is one answer; the status comes with it.
		if !method.IsStreamingServer() {
			return nil
		}
	}
}

func receive(stream grpc.ClientStream, method protoreflect.MethodDescriptor, result *Result) error {
	answer := dynamicpb.NewMessage(method.Output())
	if err := stream.RecvMsg(answer); err != nil {
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		return err
	}
	text, err := protojson.Marshal(answer)
	if err != nil {
		return err
	}
	result.Messages = append(result.Messages, text)
	return nil
}
