//! How long one question takes: the middle and the slowest hundredth of many rounds, and the mean
//! time on a processor, which other work on the machine does not lengthen as much.

use std::time::Duration;

use kausal_runtime::clock::Stopwatch;

/// Time this thread has had a processor; zero where the system does not tell.
fn on_processor() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

/// Asks `rounds` times and prints a row that ends with the size of the answer.
#[expect(clippy::print_stdout, reason = "a bench says what it measured")]
pub(crate) fn measure(what: &str, rounds: usize, mut work: impl FnMut() -> usize) {
    let mut times: Vec<Duration> = Vec::with_capacity(rounds);
    let mut size = 0;
    let before = on_processor();
    for _ in 0..rounds {
        let watch = Stopwatch::start();
        size = work();
        times.push(watch.elapsed());
    }
    let mean = on_processor().saturating_sub(before) / rounds as u32;
    times.sort_unstable();
    let at = |percent: usize| times.get(rounds * percent / 100).copied().unwrap_or_default();
    let (middle, slowest) = (at(50), at(99));
    println!("{what:<48} p50 {middle:>9.3?}  p99 {slowest:>9.3?}  cpu {mean:>9.3?}  {size}");
}
