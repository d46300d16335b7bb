package main

import "time"

// user is what the service keeps.
type user struct {
	DisplayName string
	ID          int64
	Email       string
	Role        string
	Age         int32
	CreatedAt   time.Time
}

var users = map[int64]*user{
	1: {
		DisplayName: "Alice",
		ID:          1,
		Email:       "alice@example.com",
		Role:        "developer",
		Age:         34,
		CreatedAt:   time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	},
}
