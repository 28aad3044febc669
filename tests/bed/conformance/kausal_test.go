// Runs Jaeger's own storage integration suite against a storage that is already running.
//
// `tests/bed/build conformance` puts this file into Jaeger's package internal/storage/integration and
// compiles it. The storage is reached over gRPC, through Jaeger's own remote-storage client, at
// KAUSAL_GRPC; KAUSAL_PURGE is the URL that empties it between the tests.

package integration

import (
	"context"
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configgrpc"
	"go.opentelemetry.io/collector/config/configtls"

	"github.com/jaegertracing/jaeger/internal/storage/v2/grpc"
	"github.com/jaegertracing/jaeger/internal/telemetry"
)

func setting(t *testing.T, name string) string {
	value := os.Getenv(name)
	require.NotEmpty(t, value, "%s is not set", name)
	return value
}

func TestKausal(t *testing.T) {
	config := grpc.DefaultConfig()
	config.ClientConfig = configgrpc.ClientConfig{
		Endpoint: setting(t, "KAUSAL_GRPC"),
		TLS:      configtls.ClientConfig{Insecure: true},
	}
	factory, err := grpc.NewFactory(context.Background(), config, telemetry.NoopSettings())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, factory.Close()) })

	purge := setting(t, "KAUSAL_PURGE")
	suite := StorageIntegration{
		CleanUp: func(t *testing.T) {
			answer, err := http.Post(purge, "", nil)
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			require.Equal(t, http.StatusOK, answer.StatusCode)
			http.DefaultClient.CloseIdleConnections() // the suite looks for goroutines that stay
		},
	}
	suite.TraceReader, err = factory.CreateTraceReader()
	require.NoError(t, err)
	suite.TraceWriter, err = factory.CreateTraceWriter()
	require.NoError(t, err)
	suite.DependencyReader, err = factory.CreateDependencyReader()
	require.NoError(t, err)
	suite.CleanUp(t)
	suite.RunAll(t)
}
