//! What a process has used, as Linux tells it (proc(5)).

/// The kernel counts CPU time in ticks of this length, whatever its own rate is.
const TICK_SECONDS: f64 = 0.01;

/// CPU time of all threads of a process, user and system.
pub(crate) fn cpu_seconds(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("its times");
    // The name in parentheses may hold spaces; utime and stime are fields 14 and 15.
    let after = stat.rsplit_once(')').expect("a name").1;
    let ticks = after.split_whitespace().skip(11).take(2);
    ticks.map(|ticks| ticks.parse::<f64>().expect("a number") * TICK_SECONDS).sum()
}

/// The most memory a process had resident.
pub(crate) fn peak_bytes(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("its memory");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib * 1_024
}
