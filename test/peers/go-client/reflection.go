package main

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/grpc"
	reflection "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// findMethod asks the server for the file of the service and everything it imports.
func findMethod(ctx context.Context, connection *grpc.ClientConn, path string) (protoreflect.MethodDescriptor, error) {
	service, name, found := strings.Cut(path, "/")
	if !found {
		return nil, fmt.Errorf("method %q (expected: package.Service/Method)", path)
	}
	stream, err := reflection.NewServerReflectionClient(connection).ServerReflectionInfo(ctx)
	if err != nil {
		return nil, err
	}
	defer stream.CloseSend()
	set := &descriptorpb.FileDescriptorSet{}
	known := map[string]bool{}
	pending := []*reflection.ServerReflectionRequest{{
		MessageRequest: &reflection.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: service},
	}}
	for len(pending) > 0 {
		files, err := ask(stream, pending[0])
		if err != nil {
			return nil, err
		}
		pending = pending[1:]
		for _, file := range files {
			if known[file.GetName()] {
				continue
			}
			known[file.GetName()] = true
			set.File = append(set.File, file)
			for _, dependency := range file.GetDependency() {
				if !known[dependency] {
					pending = append(pending, &reflection.ServerReflectionRequest{
						MessageRequest: &reflection.ServerReflectionRequest_FileByFilename{FileByFilename: dependency},
					})
				}
			}
		}
	}
	registry, err := protodesc.NewFiles(set)
	if err != nil {
		return nil, err
	}
	descriptor, err := registry.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return nil, err
	}
	method := descriptor.(protoreflect.ServiceDescriptor).Methods().ByName(protoreflect.Name(name))
	if method == nil {
		return nil, fmt.Errorf("%s has no method %s", service, name)
	}
	return method, nil
}

func ask(stream reflection.ServerReflection_ServerReflectionInfoClient, request *reflection.ServerReflectionRequest) ([]*descriptorpb.FileDescriptorProto, error) {
	if err := stream.Send(request); err != nil {
		return nil, err
	}
	response, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	if refusal := response.GetErrorResponse(); refusal != nil {
		return nil, fmt.Errorf("%d %s", refusal.GetErrorCode(), refusal.GetErrorMessage())
	}
	files := []*descriptorpb.FileDescriptorProto{}
	for _, bytes := range response.GetFileDescriptorResponse().GetFileDescriptorProto() {
		file := &descriptorpb.FileDescriptorProto{}
		if err := proto.Unmarshal(bytes, file); err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}
