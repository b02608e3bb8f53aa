// Command etcd-put writes to an etcd cluster as `barque bench put` writes to a store, and prints the same numbers as JSON.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

type result struct {
	Puts       int     `json:"puts"`
	Seconds    float64 `json:"seconds"`
	PutsPerSec float64 `json:"putsPerSecond"`
	P50Ms      float64 `json:"p50Ms"`
	P99Ms      float64 `json:"p99Ms"`
	MaxMs      float64 `json:"maxMs"`
	Errors     int64   `json:"errors"`
}

func main() {
	endpoints := flag.String("endpoints", "http://127.0.0.1:2379", "client URLs, comma-separated")
	connections := flag.Int("connections", 1, "connections")
	clients := flag.Int("clients", 1, "writers in all")
	total := flag.Int("total", 10000, "puts in all")
	keySize := flag.Int("key-size", 8, "bytes of a key")
	valSize := flag.Int("val-size", 8, "bytes of a value")
	keySpace := flag.Int("key-space-size", 1, "how many keys")
	flag.Parse()

	conns := make([]*clientv3.Client, *connections)
	urls := strings.Split(*endpoints, ",")
	for i := range conns {
		client, err := clientv3.New(clientv3.Config{Endpoints: []string{urls[i%len(urls)]}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		defer client.Close()
		conns[i] = client
	}
	value := strings.Repeat("x", *valSize)
	var next, failed atomic.Int64
	latencies := make([][]float64, *clients)
	var group sync.WaitGroup
	started := time.Now()
	for c := range *clients {
		group.Add(1)
		go func() {
			defer group.Done()
			client := conns[c%len(conns)]
			for next.Add(1) <= int64(*total) {
				key := fmt.Sprintf("%0*d", *keySize, rand.Intn(*keySpace))
				sent := time.Now()
				if _, err := client.Put(context.Background(), key, value); err != nil {
					failed.Add(1)
					continue
				}
				latencies[c] = append(latencies[c], float64(time.Since(sent).Microseconds())/1000)
			}
		}()
	}
	group.Wait()
	seconds := time.Since(started).Seconds()
	var all []float64
	for _, some := range latencies {
		all = append(all, some...)
	}
	sort.Float64s(all)
	at := func(q float64) float64 {
		if len(all) == 0 {
			return 0
		}
		return all[min(len(all)-1, int(float64(len(all))*q))]
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(result{len(all), seconds, float64(len(all)) / seconds, at(0.5), at(0.99), at(1), failed.Load()})
}
