//! When a dictionary is learned, and from which spans.
//!
//! Promise: bounded memory and bounded work: learning comes rarer as the store grows, and a new
//! dictionary is taken only if it makes spans it was not learned from clearly smaller.

use super::codec::{DictionaryId, Encoder, train};

/// Samples kept, an even choice among the spans since the last attempt.
const SAMPLES_MAX: usize = 256;
/// Of each sample only so much: a few large bodies must not be all that is learned.
const SAMPLE_BYTES_MAX: usize = 8 << 10;
/// zstd's own recommendation is about a hundredth of the samples; more does not get better here.
const DICTIONARY_BYTES_MAX: usize = 64 << 10;
/// Facts before the first attempt.
const FIRST_AFTER: u64 = 512;
/// Each attempt comes after so many times more facts than the one before.
const GROWTH: u64 = 16;
/// But not later than this: what a cluster does changes.
const INTERVAL_MAX: u64 = 500_000;
/// Every so many samples one is kept for the test.
const TEST_EVERY: usize = 4;
/// A new dictionary must leave at most so much of what the one in use leaves.
const WORTH_PERCENT: usize = 95;

/// Collects samples and decides about dictionaries; belongs to the writer.
#[derive(Debug)]
pub(crate) struct Trainer {
    samples: Vec<Box<[u8]>>,
    /// Facts seen since the last attempt.
    seen: u64,
    /// Facts from the last attempt to the next.
    interval: u64,
    random: u64,
}

impl Trainer {
    /// A store that has a dictionary already waits longer before it doubts it.
    pub(crate) fn new(has_dictionary: bool) -> Self {
        let interval = if has_dictionary { FIRST_AFTER * GROWTH } else { FIRST_AFTER };
        Self { samples: Vec::new(), seen: 0, interval, random: 0x9e37_79b9_7f4a_7c15 }
    }

    /// Shows it a fact.
    pub(crate) fn offer(&mut self, span: &[u8]) {
        self.seen += 1;
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(cut(span).into());
            return;
        }
        let place = self.next_random() % self.seen;
        if let Some(sample) = usize::try_from(place).ok().and_then(|at| self.samples.get_mut(at)) {
            *sample = cut(span).into();
        }
    }

    /// A dictionary to use from now on under `id`; the encoder has it then.
    pub(crate) fn learn_if_due(
        &mut self,
        id: DictionaryId,
        encoder: &mut Encoder,
    ) -> Result<Option<Vec<u8>>, String> {
        if self.seen < self.interval {
            return Ok(None);
        }
        self.seen = 0;
        self.interval = (self.interval * GROWTH).min(INTERVAL_MAX);
        let samples = std::mem::take(&mut self.samples);
        learn(&samples, id, encoder)
    }

    /// Xorshift: which samples are kept need not be a secret, only not follow the input's rhythm.
    fn next_random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

fn learn(
    samples: &[Box<[u8]>],
    id: DictionaryId,
    encoder: &mut Encoder,
) -> Result<Option<Vec<u8>>, String> {
    let is_test = |at: usize| at.is_multiple_of(TEST_EVERY);
    let choose = |test: bool| -> Vec<&[u8]> {
        let chosen = samples.iter().enumerate().filter(|(at, _)| is_test(*at) == test);
        chosen.map(|(_, sample)| &**sample).collect()
    };
    let (test, training) = (choose(true), choose(false));
    let Some(dictionary) = train(&training, DICTIONARY_BYTES_MAX) else { return Ok(None) };
    let mut candidate = Encoder::default();
    candidate.adopt(id, &dictionary)?;
    if candidate.cost(&test)? * 100 > encoder.cost(&test)? * WORTH_PERCENT {
        return Ok(None);
    }
    *encoder = candidate;
    Ok(Some(dictionary))
}

fn cut(span: &[u8]) -> &[u8] {
    span.get(..SAMPLE_BYTES_MAX).unwrap_or(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(flavour: &str, number: u64) -> Vec<u8> {
        let id = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!("{flavour} says {id:016x} and {flavour} again, as {flavour} does").into_bytes()
    }

    /// Shows it so many spans and says which dictionaries it took.
    fn run(trainer: &mut Trainer, encoder: &mut Encoder, flavour: &str, count: u64) -> usize {
        let mut taken = 0;
        for number in 0..count {
            trainer.offer(&span(flavour, number));
            let id = encoder.dictionary().unwrap_or(0) + 1;
            taken += usize::from(trainer.learn_if_due(id, encoder).expect("learns").is_some());
        }
        taken
    }

    #[test]
    fn it_learns_first_soon_then_rarely_and_only_if_it_pays() {
        let (mut trainer, mut encoder) = (Trainer::new(false), Encoder::default());
        assert_eq!(run(&mut trainer, &mut encoder, "the controller of deployments", 511), 0);
        assert_eq!(run(&mut trainer, &mut encoder, "the controller of deployments", 1), 1);
        assert_eq!(encoder.dictionary(), Some(1));
        // The same again is no better, something else is.
        assert_eq!(run(&mut trainer, &mut encoder, "the controller of deployments", 8_192), 0);
        let other = "a completely different kind of workload with its own words";
        assert_eq!(run(&mut trainer, &mut encoder, other, 131_072), 1);
        assert_eq!(encoder.dictionary(), Some(2));
    }

    #[test]
    fn memory_is_bounded_whatever_the_spans() {
        let mut trainer = Trainer::new(true);
        let large = vec![7; 1 << 20];
        for _ in 0..2_000 {
            trainer.offer(&large);
        }
        assert_eq!(trainer.samples.len(), SAMPLES_MAX);
        assert!(trainer.samples.iter().all(|sample| sample.len() == SAMPLE_BYTES_MAX));
    }
}
