//go:build tools

// Package bed pins kwok, which plays the kubelets of the end-to-end tests.
package bed

import _ "sigs.k8s.io/kwok/cmd/kwok"
