//! The embedded store against the suite that every store passes.

use kausal_store::{EmbeddedConfig, EmbeddedStore};
use kausal_testkit::store_contract::store_contract;

#[test]
fn the_embedded_store_keeps_the_contract() {
    let dirs = tempfile::tempdir().expect("a folder");
    let count = std::cell::Cell::new(0);
    store_contract(|| {
        count.set(count.get() + 1);
        let config = EmbeddedConfig::new(dirs.path().join(count.get().to_string()));
        EmbeddedStore::open(&config, None).expect("opens")
    });
}
