// SPDX-License-Identifier: Apache-2.0

// The network of the chaos suite: packets between hosts go through this process, which loses, delays and reorders them
// as it is told. It needs no traffic control of the kernel's (netem, nftables), only TUN devices.
//
//	network 10.77.0.1=4 10.77.0.2=5 …     each host's address and the file descriptor of its TUN device
//
// Each line of its input is a JSON object of all links that are not perfect, {"10.77.0.1>10.77.0.2": {"loss": 0.1,
// "delay_ms": 50, "jitter_ms": 20}, …}; it is answered by a line once it is in force. Ends with its input.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"math/rand"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

type link struct {
	Loss   float64 `json:"loss"` // 1 is a cut
	Delay  float64 `json:"delay_ms"`
	Jitter float64 `json:"jitter_ms"` // at most that much more, for each packet anew: they overtake each other
}

var (
	hosts = map[string]*os.File{}
	links atomic.Value // map[string]link
)

func carry(from string) {
	for {
		packet := make([]byte, 1<<16)
		n, err := hosts[from].Read(packet)
		if err != nil {
			log.Fatalf("the device of %s: %v", from, err)
		}
		if n < 20 || packet[0]>>4 != 4 {
			continue // the kernel also says hello by IPv6
		}
		to := net.IP(packet[16:20]).String()
		if device, known := hosts[to]; known {
			send(device, packet[:n], links.Load().(map[string]link)[from+">"+to])
		}
	}
}

func send(device *os.File, packet []byte, link link) {
	if link.Loss > 0 && rand.Float64() < link.Loss {
		return
	}
	wait := time.Duration((link.Delay + rand.Float64()*link.Jitter) * float64(time.Millisecond))
	if wait == 0 {
		device.Write(packet)
	} else {
		time.AfterFunc(wait, func() { device.Write(packet) })
	}
}

func main() {
	for _, argument := range os.Args[1:] {
		address, number, _ := strings.Cut(argument, "=")
		fd, err := strconv.Atoi(number)
		if err != nil {
			log.Fatalf("%q is not ADDRESS=FD", argument)
		}
		syscall.SetNonblock(fd, true)
		hosts[address] = os.NewFile(uintptr(fd), address)
	}
	links.Store(map[string]link{})
	for address := range hosts {
		go carry(address)
	}
	orders := bufio.NewScanner(os.Stdin)
	orders.Buffer(nil, 1<<20)
	for orders.Scan() {
		table := map[string]link{}
		if err := json.Unmarshal(orders.Bytes(), &table); err != nil {
			log.Fatalf("%q: %v", orders.Text(), err)
		}
		links.Store(table)
		fmt.Println("ok")
	}
}
