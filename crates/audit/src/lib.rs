//! audit.k8s.io events and the forms they are delivered in.
