//! Role: audit logs in, spans out.
