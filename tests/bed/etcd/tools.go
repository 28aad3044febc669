//go:build tools

// Package bed pins the etcd server that the end-to-end tests run.
package bed

import _ "go.etcd.io/etcd/server/v3"
