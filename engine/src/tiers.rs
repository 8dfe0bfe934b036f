//! Which runs are merged, of indexes and of dated rows: runs stand in tiers by their size, and when a tier has enough of them they
//! become one run.

use std::sync::Arc;

/// How runs are told apart by size.
#[derive(Clone, Copy, Debug)]
pub struct Tiers {
    /// The largest size in the lowest tier, which has what was written from memory.
    pub lowest_most: u64,
    /// Runs of a tier that are enough to be merged; also how many times larger the runs of the tier above may be.
    pub fan_out: usize,
}

/// Runs to be merged.
pub struct Chosen<R> {
    /// All of a tier, in the order that they were given in.
    pub runs: Vec<Arc<R>>,
    /// Their tier, from 0.
    pub tier: usize,
}

impl Tiers {
    /// The runs of each tier, in the order that they are given in.
    pub fn split<R>(&self, runs: &[Arc<R>], size: impl Fn(&R) -> u64) -> Vec<Vec<Arc<R>>> {
        let mut tiers: Vec<Vec<Arc<R>>> = Vec::new();
        for run in runs {
            let tier = self.tier_of(size(run));
            tiers.resize_with(tiers.len().max(tier + 1), Vec::new);
            tiers[tier].push(Arc::clone(run));
        }
        tiers
    }

    /// The runs of the lowest tier that has enough of them, if it is below this one.
    pub fn choose<R>(&self, runs: &[Arc<R>], size: impl Fn(&R) -> u64, below: usize) -> Option<Chosen<R>> {
        let mut tiers = self.split(runs, size);
        tiers.truncate(below);
        let tier = tiers.iter().position(|tier| tier.len() >= self.fan_out)?;
        Some(Chosen { runs: tiers.swap_remove(tier), tier })
    }

    /// The tier of a run by its size: what `fan_out` runs of a tier give is at most one tier above.
    fn tier_of(&self, size: u64) -> usize {
        let mut tier = 0;
        let mut most = self.lowest_most;
        while size > most {
            tier += 1;
            most = most.saturating_mul(self.fan_out as u64);
        }
        tier
    }
}
