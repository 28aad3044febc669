//! The `kausal` command.

fn main() {}
