//! Role: reading; views, gRPC and HTTP doors.
