//! Generators and fakes for tests.
