//! The whole index against a model.
use super::*;
use journal::disk::MemoryDisk;
use std::collections::{BTreeMap, BTreeSet};
#[test]
fn smoke() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let folder = Path::new("/index");
    let mut model: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    let options = Options { tail_pairs: 100, fan_out: 3 };
    let mut index = Index::open(disk.clone(), folder, options).unwrap();
    for value in 0..20_000 {
        index.insert(value / 3, value);
        model.entry(value / 3).or_default().insert(value);
        if value % 10 == 9 {
            index.mark(value + 1);
        }
    }
    for round in 0..2 {
        for key in 0..10_000 {
            let mut found = Vec::new();
            index.find(key, &mut found).unwrap();
            let expected: Vec<u64> = model.get(&key).map(|v| v.iter().rev().copied().collect()).unwrap_or_default();
            assert_eq!(found, expected);
        }
        if round == 0 {
            assert_eq!(index.flush().unwrap(), 20_000);
            drop(index);
            index = Index::open(disk.clone(), folder, options).unwrap();
            assert_eq!(index.covered(), 20_000);
        }
    }
}
