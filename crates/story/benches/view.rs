//! How long it takes to tell and to draw: `cargo bench -p kausal-story`.

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;

use common::{Capture, Reach, web};
use criterion::{Criterion, criterion_group, criterion_main};
use kausal_story::{Gathered, GatheredObject, Mode, Relation, TellPolicy, tell, text, view};
use kausal_trace::{TraceId, UnixNanos, view::encode};

/// Objects of the view whose speed is promised.
const OBJECTS: usize = 200;

/// `web` as the owner of the objects of the capture with the most facts.
fn many(capture: &Capture) -> Gathered {
    let mut all: Vec<_> = capture.spans.iter().filter(|(key, _)| **key != web()).collect();
    all.sort_by_key(|(key, spans)| (std::cmp::Reverse(spans.len()), (*key).clone()));
    let owned = all.into_iter().take(OBJECTS - 1).map(|(key, spans)| GatheredObject {
        key: key.clone(),
        relation: Relation::Owned { parent: web(), depth: 1 },
        spans: spans.clone(),
    });
    let root = GatheredObject {
        key: web(),
        relation: Relation::Root,
        spans: capture.spans[&web()].clone(),
    };
    Gathered {
        root: web(),
        from: UnixNanos(0),
        to: UnixNanos(u64::MAX),
        objects: owned.chain([root]).collect(),
        warnings: Vec::new(),
    }
}

fn benches(c: &mut Criterion) {
    let capture = Capture::read(0);
    let (policy, id) = (TellPolicy::default(), TraceId([0xff; 16]));
    for (name, gathered) in
        [("web", capture.gather(&web(), Reach::OwnedObjects)), ("200 objects", many(&capture))]
    {
        let spans = || gathered.objects.iter().flat_map(|object| &object.spans);
        let bytes: usize = spans().map(|span| span.len()).sum();
        let label = format!("{name}, {} spans, {} KiB", spans().count(), bytes >> 10);
        let mut group = c.benchmark_group(label);
        for mode in ["tracing", "tree"] {
            let shown: Mode = mode.parse().expect("a mode");
            group.bench_function(mode, |b| {
                b.iter(|| black_box(view::render(&gathered, shown, id, &policy)));
            });
        }
        let drawn = view::render(&gathered, Mode::default(), id, &policy);
        group.bench_function("encode", |b| b.iter(|| black_box(encode(&drawn, 1 << 20))));
        group.bench_function("tell", |b| b.iter(|| black_box(tell(&gathered, &policy))));
        let story = tell(&gathered, &policy);
        group.bench_function("text", |b| {
            b.iter(|| black_box(text::render(&story, &text::TextStyle::default())));
        });
    }
}

criterion_group!(all, benches);
criterion_main!(all);
