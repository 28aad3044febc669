//! What every process needs: clock, telemetry, admin server, TLS, shutdown.
