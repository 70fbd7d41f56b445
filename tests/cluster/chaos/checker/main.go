// SPDX-License-Identifier: Apache-2.0

// Is a history linearizable? Each line of the files named is an operation on a key, in JSON; each key is judged alone.
// Prints a line for each key that is not, or that could not be decided in time, and a summary. Ends with 1 if any was.
//
// A key holds a value and its version, which counts from 0, when there is no value. Operations:
//
//	read  → ok: value and version
//	put   → ok: the version that it made
//	cas   → ok: the version that it made, on top of version "expected"; or refused: the version was another
//
// An operation whose outcome is "unknown" may have happened at any time after its call, or never.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"math"
	"os"
	"sort"
	"time"

	"github.com/anishathalye/porcupine"
)

const patience = 60 * time.Second // a key

type operation struct {
	Key      string `json:"key"`
	Client   int    `json:"client"`
	Kind     string `json:"kind"`
	Outcome  string `json:"outcome"`
	Call     int64  `json:"call"`
	Return   int64  `json:"return"`
	Value    string `json:"value"` // written or read
	Expected int    `json:"expected"`
	Version  int    `json:"version"` // made or read; -1 when the answer does not say
}

type state struct {
	value   string
	version int
}

// What is unknown can also be thought of as happening after all else, where nobody sees it.
func step(before, input, _ interface{}) (bool, interface{}) {
	now, op := before.(state), input.(operation)
	next := state{op.Value, now.version + 1}
	fits := op.Version < 0 || op.Version == next.version
	switch {
	case op.Kind == "read":
		return op.Value == now.value && (op.Version < 0 || op.Version == now.version), now
	case op.Kind == "cas" && op.Outcome == "refused":
		return op.Expected != now.version, now
	case op.Kind == "cas" && op.Expected != now.version:
		return op.Outcome == "unknown", now
	case op.Outcome == "unknown":
		return true, next
	default:
		return fits, next
	}
}

func read(path string, histories map[string][]porcupine.Operation) {
	file, err := os.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var op operation
		if err := json.Unmarshal(lines.Bytes(), &op); err != nil {
			log.Fatalf("%s: %q: %v", path, lines.Text(), err)
		}
		if op.Outcome == "unknown" {
			if op.Kind == "read" {
				continue // it tells nothing
			}
			op.Return = math.MaxInt64
		}
		histories[op.Key] = append(histories[op.Key], porcupine.Operation{
			ClientId: op.Client, Input: op, Call: op.Call, Output: nil, Return: op.Return})
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
}

func main() {
	histories := map[string][]porcupine.Operation{}
	for _, path := range os.Args[1:] {
		read(path, histories)
	}
	keys := make([]string, 0, len(histories))
	for key := range histories {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	model := porcupine.Model{Init: func() interface{} { return state{} }, Step: step}
	operations, bad := 0, 0
	for _, key := range keys {
		operations += len(histories[key])
		switch porcupine.CheckOperationsTimeout(model, histories[key], patience) {
		case porcupine.Illegal:
			bad++
			fmt.Printf("key %s: its %d operations are not linearizable\n", key, len(histories[key]))
		case porcupine.Unknown:
			bad++
			fmt.Printf("key %s: undecided after %v\n", key, patience)
		}
	}
	fmt.Printf("%d operations on %d keys checked, %d keys at fault\n", operations, len(keys), bad)
	if bad > 0 {
		os.Exit(1)
	}
}
