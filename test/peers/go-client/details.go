package main

import (
	"errors"
	"io"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// describe writes the end of a call into result. The details are read the way Go programs do it: by type switch.
func describe(result *Result, err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		result.Code = codes.OK.String()
		return nil
	}
	failure := status.Convert(err)
	result.Code = failure.Code().String()
	result.Message = failure.Message()
	for _, detail := range failure.Details() {
		result.Details = append(result.Details, readable(detail))
	}
	return nil
}

func readable(detail any) any {
	switch it := detail.(type) {
	case *errdetails.ErrorInfo:
		return map[string]any{"type": "ErrorInfo", "reason": it.GetReason(), "domain": it.GetDomain(), "metadata": it.GetMetadata()}
	case *errdetails.BadRequest:
		violations := []map[string]string{}
		for _, violation := range it.GetFieldViolations() {
			violations = append(violations, map[string]string{
				"field": violation.GetField(), "description": violation.GetDescription(), "reason": violation.GetReason(),
			})
		}
		return map[string]any{"type": "BadRequest", "violations": violations}
	case *errdetails.RetryInfo:
		return map[string]any{"type": "RetryInfo", "delayMs": it.GetRetryDelay().AsDuration().Milliseconds()}
	case *errdetails.RequestInfo:
		return map[string]any{"type": "RequestInfo", "requestId": it.GetRequestId()}
	case error:
		return map[string]any{"type": "undecodable", "error": it.Error()}
	default:
		return map[string]any{"type": "unknown"}
	}
}
