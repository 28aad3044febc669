//! What a view leaves out when it has more spans than are asked for.
//!
//! Promise: routine goes first, then what controllers did, the newest first; how many is said, and
//! how to see them.

use super::AllTold;
use super::act_span::Told;

/// Leaves out what is over the budget of spans, and says so.
pub(super) fn limit(told: &mut AllTold, room: usize) -> Option<String> {
    let total: usize = told.iter().flatten().map(Told::spans).sum();
    if total <= room {
        return None;
    }
    let mut ranked: Vec<_> = told
        .iter()
        .enumerate()
        .flat_map(|(object, told)| {
            let rank = move |(at, told): (usize, &Told)| (told.rank(), told.time, object, at);
            told.iter().enumerate().map(rank)
        })
        .collect();
    ranked.sort_unstable();
    let mut left = room;
    let kept = ranked.iter().take_while(|(.., object, at)| {
        let spans = told.get(*object).and_then(|told| told.get(*at)).map_or(0, Told::spans);
        let fits = spans <= left;
        left -= if fits { spans } else { 0 };
        fits
    });
    let kept = kept.count();
    let total = ranked.len();
    let mut out: Vec<_> =
        ranked.split_off(kept).iter().map(|(.., object, at)| (*object, *at)).collect();
    out.sort_unstable_by(|a, b| b.cmp(a));
    for (object, at) in &out {
        if let Some(told) = told.get_mut(*object) {
            told.remove(*at);
        }
    }
    Some(format!(
        "{} of {total} acts and events are left out, routine first; the modes `tracing` and \
         `grouped` show them, or a shorter time",
        out.len()
    ))
}
