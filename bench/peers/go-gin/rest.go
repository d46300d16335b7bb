package main

import (
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"
)

type envelope struct {
	Code    int    `json:"code"`
	Data    any    `json:"data"`
	Message string `json:"message"`
}

type userBody struct {
	DisplayName string `json:"displayName"`
	ID          string `json:"id"`
	Email       string `json:"email"`
	Role        string `json:"role"`
	Age         int32  `json:"age"`
	CreatedAt   string `json:"createdAt"`
}

type address struct {
	Street     string `json:"street" binding:"required,min=1,max=100"`
	City       string `json:"city" binding:"required,min=1,max=100"`
	PostalCode string `json:"postalCode" binding:"required,min=3,max=10"`
}

type createUserBody struct {
	DisplayName string   `json:"displayName" binding:"required,min=1,max=100"`
	Email       string   `json:"email" binding:"required,email"`
	Role        string   `json:"role" binding:"required,oneof=developer operator viewer"`
	Age         *int32   `json:"age" binding:"required,min=0,max=150"`
	Newsletter  *bool    `json:"newsletter" binding:"required"`
	Address     *address `json:"address" binding:"required"`
}

type createdUserBody struct {
	ID          string   `json:"id"`
	DisplayName string   `json:"displayName"`
	Email       string   `json:"email"`
	Role        string   `json:"role"`
	Age         int32    `json:"age"`
	Newsletter  bool     `json:"newsletter"`
	Address     *address `json:"address"`
}

func newRouter() http.Handler {
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.Use(gin.Recovery())
	router.GET("/api/v1/users/:id", getUser)
	router.POST("/api/v1/users", createUser)
	return router
}

func getUser(c *gin.Context) {
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil || id < 1 {
		fail(c, http.StatusBadRequest, "id must be a positive integer")
		return
	}
	found := users[id]
	if found == nil {
		fail(c, http.StatusNotFound, "user "+c.Param("id")+" not found")
		return
	}
	c.JSON(http.StatusOK, envelope{Code: http.StatusOK, Message: "success", Data: userBody{
		DisplayName: found.DisplayName,
		ID:          strconv.FormatInt(found.ID, 10),
		Email:       found.Email,
		Role:        found.Role,
		Age:         found.Age,
		CreatedAt:   found.CreatedAt.Format("2006-01-02T15:04:05Z07:00"),
	}})
}

func createUser(c *gin.Context) {
	var body createUserBody
	if err := c.ShouldBindJSON(&body); err != nil {
		fail(c, http.StatusBadRequest, err.Error())
		return
	}
	c.JSON(http.StatusCreated, envelope{Code: http.StatusCreated, Message: "success", Data: createdUserBody{
		ID:          strconv.FormatInt(lastID.Add(1), 10),
		DisplayName: body.DisplayName,
		Email:       body.Email,
		Role:        body.Role,
		Age:         *body.Age,
		Newsletter:  *body.Newsletter,
		Address:     body.Address,
	}})
}

func fail(c *gin.Context, code int, message string) {
	c.AbortWithStatusJSON(code, envelope{Code: code, Message: message})
}
