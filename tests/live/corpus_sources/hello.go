// Go, with a goroutine and a map.
package main

import "fmt"

var table = map[string]int{"one": 1}
var room [1 << 20]byte

func main() {
	done := make(chan int)
	go func() { done <- table["one"] }()
	room[0] = 1
	fmt.Println("hello", <-done)
}
