//! The story of `deploy/web` in the bundled capture.

mod common;

use common::{Capture, web};
use kausal_story::{Reach, TellPolicy, tell, text};

#[test]
fn reads_as_it_happened() {
    let gathered = Capture::read(0).gather(&web(), Reach::OwnedObjects);
    let story = tell(&gathered, &TellPolicy::default());
    let shown = text::render(&story, &text::TextStyle::default());
    println!("{shown}");
    println!("{:?} {:?} {:?}", story.counts, story.not_explained, story.warnings);
}
